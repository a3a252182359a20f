"""Agents, as clients write and read them."""

from marshmallow import fields, validate

from neonhub.api.schemas.base import CamelSchema, Instant, about, json_object

SLUG = r"[a-z0-9][a-z0-9-]{0,62}"
_NAME = validate.Length(min=1, max=200)
_NO_CONTROL = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="It holds control characters.")


def _name(**options: object) -> fields.String:
    metadata = {"description": "What people call it", "example": "Daily report"}
    return fields.String(validate=[_NAME, _NO_CONTROL], metadata=metadata, **options)  # type: ignore[arg-type]


def _kind(**options: object) -> fields.String:
    metadata = {"description": "The registered agent class that runs it", "example": "prompt"}
    return fields.String(validate=validate.Length(min=1, max=63), metadata=metadata, **options)  # type: ignore[arg-type]


_CONFIG = {
    "description": "The settings of its class, checked by it",
    "example": {"prompt": "Sum up the news on {topic}.", "variables": {"topic": "batteries"}},
}


class AgentBody(CamelSchema):
    """An agent to create."""

    id = fields.String(
        required=True,
        validate=validate.Regexp(
            SLUG + r"\Z",
            error="It must be 1 to 63 of a-z, 0-9 and -, beginning with a letter or a digit.",
        ),
        metadata={"description": "Its slug", "example": "daily-report", "pattern": f"^{SLUG}$"},
    )
    name = _name(required=True)
    kind = _kind(required=True)
    config = json_object(load_default=dict, metadata=_CONFIG)


class AgentChanges(CamelSchema):
    """Fields of an agent to change; those left out stay."""

    name = _name()
    kind = _kind()
    config = json_object(metadata=_CONFIG)


class AgentSchema(CamelSchema):
    """An agent: what runs."""

    id = fields.String(
        required=True,
        attribute="slug",
        metadata={"description": "Its slug", "example": "daily-report"},
    )
    name = _name(required=True)
    kind = _kind(required=True)
    config = json_object(required=True, metadata=_CONFIG)
    created_at = Instant(required=True, metadata=about("When it was created"))
    updated_at = Instant(required=True, metadata=about("When it was last changed"))


class RunBody(CamelSchema):
    """How to run an agent now."""

    input = json_object(
        load_default=dict,
        allow_none=True,
        metadata={"description": "Overlays the agent's config", "example": {"topic": "solar"}},
    )
    priority = fields.String(
        load_default="NORMAL",
        allow_none=True,
        validate=validate.OneOf(["CRITICAL", "HIGH", "NORMAL", "LOW"]),
        metadata={"description": "Which queue it waits on", "example": "HIGH"},
    )
