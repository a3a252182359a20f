"""Health, as probes read it."""

from marshmallow import fields

from neonhub.api.schemas.base import CamelSchema, about


class HealthSchema(CamelSchema):
    """The process is up."""

    status = fields.String(required=True, metadata=about("Always the same", "ok"))


class CheckSchema(CamelSchema):
    """One thing that must hold."""

    ok = fields.Boolean(required=True, metadata=about("Whether it holds", True))
    message = fields.String(required=True, metadata=about("In words", "answers"))


class ReadinessChecks(CamelSchema):
    """Everything that must hold before work is sent here."""

    database = fields.Nested(CheckSchema, required=True, metadata=about("It answers"))
    redis = fields.Nested(CheckSchema, required=True, metadata=about("It answers"))
    migrations = fields.Nested(
        CheckSchema, required=True, metadata=about("The schema is the newest")
    )
    scheduler = fields.Nested(CheckSchema, required=True, metadata=about("One is alive"))


class ReadinessSchema(CamelSchema):
    """Whether all checks hold."""

    status = fields.String(required=True, metadata=about("`ready`, or `not ready`", "ready"))
    checks = fields.Nested(ReadinessChecks, required=True, metadata=about("Each by its name"))
