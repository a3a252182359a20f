"""Health, as probes read it."""

from marshmallow import fields

from neonhub.api.schemas.base import CamelSchema


class HealthSchema(CamelSchema):
    """The process is up."""

    status = fields.String(required=True, metadata={"example": "ok"})


class CheckSchema(CamelSchema):
    """One thing that must hold."""

    ok = fields.Boolean(required=True)
    message = fields.String(required=True, metadata={"example": "answers"})


class ReadinessChecks(CamelSchema):
    """Everything that must hold before work is sent here."""

    database = fields.Nested(CheckSchema, required=True)
    redis = fields.Nested(CheckSchema, required=True)
    migrations = fields.Nested(CheckSchema, required=True)
    scheduler = fields.Nested(CheckSchema, required=True)


class ReadinessSchema(CamelSchema):
    """Whether all checks hold."""

    status = fields.String(required=True, metadata={"example": "ready"})
    checks = fields.Nested(ReadinessChecks, required=True)
