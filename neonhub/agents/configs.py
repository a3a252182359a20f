"""Reading an agent's config with marshmallow: strict numbers, and errors in sentences."""

from collections.abc import Iterator
from typing import Any, Literal

from marshmallow import Schema, ValidationError, fields

from neonhub.agents.errors import NonRetryableError


class Number(fields.Float):
    """A number; unlike marshmallow's own it takes no text."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def load_config(
    schema: type[Schema],
    config: dict[str, Any],
    *,
    unknown: Literal["exclude", "include"] = "exclude",
) -> dict[str, Any]:
    """Read what an agent was given to run with; a session's input may have spoiled the config.

    Args:
        unknown: What to do with fields the schema lacks: they may be in the session's input.

    Raises:
        NonRetryableError: A field is wrong.
    """
    try:
        loaded: dict[str, Any] = schema().load(config, unknown=unknown)
    except ValidationError as error:
        wrong = "; ".join(f"{field}: {' '.join(said)}" for field, said in flat(error).items())
        raise NonRetryableError(f"The config with this input is wrong: {wrong}") from error
    return loaded


def flat(error: ValidationError) -> dict[str, list[str]]:
    """marshmallow's nested messages as `config.headers.accept` → sentences."""
    errors: dict[str, list[str]] = {}
    for field, sentence in _sentences(error.messages, "config"):
        errors.setdefault(field, []).append(sentence)
    return errors


def _sentences(messages: Any, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _sentences(inner, field if name == "_schema" else f"{field}.{name}")
    elif isinstance(messages, list):
        for inner in messages:
            yield from _sentences(inner, field)
    else:
        yield field, str(messages)
