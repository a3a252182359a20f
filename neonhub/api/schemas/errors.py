"""The one shape of every error."""

from marshmallow import fields

from neonhub.api.schemas.base import CamelSchema


class ErrorSchema(CamelSchema):
    """What went wrong, in one sentence a person can act on."""

    code = fields.Integer(required=True, metadata={"description": "HTTP status", "example": 422})
    status = fields.String(
        required=True,
        metadata={"description": "Its name", "example": "Unprocessable Entity"},
    )
    message = fields.String(
        required=True,
        metadata={
            "description": "One sentence a person can act on.",
            "example": "cronExpression: '* * *' has 3 fields; five are needed.",
        },
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(),
        metadata={
            "description": "Where a field is at fault: place, field, sentences about it.",
            "additionalProperties": True,
            "example": {"json": {"cronExpression": ["'* * *' has 3 fields; five are needed."]}},
        },
    )
    request_id = fields.String(
        required=True,
        metadata={"description": "`X-Request-Id` of this request", "example": "01a209fe2c717d4f"},
    )
