"""The settings of an agent of kind `prompt`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from neonhub.agents.configs import Number, load_config
from neonhub.agents.providers import PROVIDERS

MAX_PROMPT_CHARACTERS = 200_000


def _check_not_blank(text: str) -> None:
    if not text.strip():
        raise ValidationError("Must not be blank.")


class PromptConfigSchema(Schema):
    """What is checked when such an agent is created or changed, and again when it runs."""

    prompt = fields.String(
        required=True, validate=[_check_not_blank, Length(max=MAX_PROMPT_CHARACTERS)]
    )
    variables = fields.Dict(keys=fields.String(), load_default=dict)
    system = fields.String(
        load_default=None, allow_none=True, validate=Length(max=MAX_PROMPT_CHARACTERS)
    )
    provider = fields.String(load_default="auto", validate=OneOf(("auto", *PROVIDERS)))
    model = fields.String(load_default=None, allow_none=True, validate=Length(min=1, max=200))
    max_tokens = fields.Integer(
        strict=True, data_key="maxTokens", load_default=1024, validate=Range(min=1, max=200_000)
    )
    temperature = Number(load_default=None, allow_none=True, validate=Range(min=0, max=2))


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """One prompt, as configured."""

    prompt: str
    variables: Mapping[str, Any]
    system: str | None
    provider: str
    model: str | None  # None: the provider's default
    max_tokens: int
    temperature: float | None  # None: the model's default

    @classmethod
    def read(cls, config: dict[str, Any]) -> "PromptConfig":
        """Read and check a config overlaid with an input.

        Whatever else the input holds becomes a variable too, and wins over `variables`: so
        `{"topic": "tea"}` as a session's input fills `{topic}`.

        Raises:
            NonRetryableError: A field is wrong.
        """
        loaded = load_config(PromptConfigSchema, config, unknown="include")
        known = {name: loaded.pop(name) for name in cls.__dataclass_fields__}
        return cls(**{**known, "variables": {**known["variables"], **loaded}})
