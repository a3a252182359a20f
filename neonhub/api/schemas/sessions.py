"""Sessions and their logs, as clients read them."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from neonhub.api.schemas.base import CamelSchema, Instant, json_object, to_text
from neonhub.api.schemas.paging import PageQuery, QueryInstant
from neonhub.domain.states import HoldReason, Priority, SessionStatus, Trigger


class ErrorOfAgent(CamelSchema):
    """What an agent raised."""

    type = fields.String(required=True, metadata={"example": "RuntimeError"})
    message = fields.String(required=True, metadata={"example": "no such page"})
    traceback = fields.String(required=True, allow_none=True)


class SessionSchema(CamelSchema):
    """One execution of an agent, from its decision to its end."""

    id = fields.String(required=True, metadata={"example": "01a209fe2c717d4fb7e329746fcf1024"})
    agent_id = fields.String(required=True, metadata={"example": "daily-report"})
    schedule_id = fields.String(required=True, allow_none=True)
    scheduled_for = Instant(
        required=True, allow_none=True, metadata={"description": "The tick, jitter included"}
    )
    trigger = fields.String(required=True, validate=validate.OneOf(list(Trigger)))
    status = fields.String(required=True, validate=validate.OneOf(list(SessionStatus)))
    reason = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it ended so"}
    )
    hold_reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*HoldReason, None]),
        metadata={"description": "What a queued one waits for, other than a worker"},
    )
    priority = fields.String(required=True, validate=validate.OneOf(list(Priority)))
    attempt = fields.Integer(
        required=True, metadata={"description": "The present or next start, from 1", "example": 1}
    )
    max_attempts = fields.Integer(required=True, metadata={"example": 4})
    queued_at = Instant(required=True)
    started_at = Instant(required=True, allow_none=True)
    finished_at = Instant(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True, allow_none=True, metadata={"example": 1250})
    next_attempt_at = Instant(required=True, allow_none=True)
    progress = fields.Float(
        required=True, allow_none=True, metadata={"description": "Percent", "example": 40.0}
    )
    progress_message = fields.String(required=True, allow_none=True)
    worker = fields.String(required=True, allow_none=True)
    input = json_object(required=True)
    result = fields.Raw(
        required=True, allow_none=True, metadata={"description": "What the agent returned"}
    )
    error = fields.Nested(ErrorOfAgent, required=True, allow_none=True)
    missed_count = fields.Integer(required=True, allow_none=True)
    missed_from = Instant(required=True, allow_none=True)


class SessionQuery(PageQuery):
    """Which sessions of an agent; `from` and `to` filter on `queuedAt`."""

    status = fields.String(validate=validate.OneOf(list(SessionStatus)))
    trigger = fields.String(validate=validate.OneOf(list(Trigger)))
    since = QueryInstant(data_key="from", metadata={"description": "Queued at or after"})
    until = QueryInstant(data_key="to", metadata={"description": "Queued before"})

    @validates_schema
    def check_range(self, query: dict[str, Any], **_: Any) -> None:
        """Refuse a range that ends before it begins."""
        since, until = query.get("since"), query.get("until")
        if since is not None and until is not None and since > until:
            sentence = f"{to_text(since)} is after `to`, {to_text(until)}."
            raise ValidationError(sentence, field_name="since")


class SessionEventSchema(CamelSchema):
    """A line of a session's log."""

    id = fields.Integer(required=True, metadata={"description": "Grows", "example": 7})
    session_id = fields.String(required=True)
    attempt = fields.Integer(required=True, allow_none=True, metadata={"example": 1})
    timestamp = Instant(required=True, attribute="created_at")
    type = fields.String(
        required=True,
        metadata={"description": "`agent:…` for its lifecycle, else the agent's own word"},
    )
    level = fields.String(required=True, validate=validate.OneOf(["info", "warning", "error"]))
    message = fields.String(required=True)
    data = json_object(required=True)
