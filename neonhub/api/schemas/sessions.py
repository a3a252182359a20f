"""Sessions and their logs, as clients read them."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from neonhub.api.schemas.base import CamelSchema, Instant, about, json_object, to_text
from neonhub.api.schemas.paging import PageQuery, QueryInstant
from neonhub.domain.states import HoldReason, Priority, SessionStatus, Trigger

_ID = "01a209fe2c717d4fb7e329746fcf1024"
_TRACEBACK = 'File "reporter.py", line 7, in execute_impl'


class ErrorOfAgent(CamelSchema):
    """What an agent raised."""

    type = fields.String(required=True, metadata=about("The class raised", "RuntimeError"))
    message = fields.String(required=True, metadata=about("What it said", "no such page"))
    traceback = fields.String(
        required=True, allow_none=True, metadata=about("Where it came from", _TRACEBACK)
    )


class SessionSchema(CamelSchema):
    """One execution of an agent, from its decision to its end."""

    id = fields.String(required=True, metadata=about("Grows with time", _ID))
    agent_id = fields.String(required=True, metadata=about("Its agent", "daily-report"))
    schedule_id = fields.String(
        required=True, allow_none=True, metadata=about("Its schedule; null for none", _ID)
    )
    scheduled_for = Instant(
        required=True, allow_none=True, metadata=about("The tick, jitter included")
    )
    trigger = fields.String(
        required=True,
        validate=validate.OneOf(list(Trigger)),
        metadata=about("What it came from", "SCHEDULE"),
    )
    status = fields.String(
        required=True,
        validate=validate.OneOf(list(SessionStatus)),
        metadata=about("Where it stands", "COMPLETED"),
    )
    reason = fields.String(
        required=True, allow_none=True, metadata=about("Why it ended so", "timeout")
    )
    hold_reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*HoldReason, None]),
        metadata=about("What a queued one waits for, other than a worker", "slot"),
    )
    priority = fields.String(
        required=True,
        validate=validate.OneOf(list(Priority)),
        metadata=about("Which queue it waits on", "NORMAL"),
    )
    attempt = fields.Integer(required=True, metadata=about("The present or next start, from 1", 1))
    max_attempts = fields.Integer(required=True, metadata=about("Starts it may have", 4))
    queued_at = Instant(required=True, metadata=about("When it was decided"))
    started_at = Instant(
        required=True, allow_none=True, metadata=about("When its last attempt began")
    )
    finished_at = Instant(required=True, allow_none=True, metadata=about("When it ended"))
    duration_ms = fields.Integer(
        required=True, allow_none=True, metadata=about("From its start to its end", 1250)
    )
    next_attempt_at = Instant(
        required=True, allow_none=True, metadata=about("When it is tried again")
    )
    progress = fields.Float(required=True, allow_none=True, metadata=about("Percent", 40.0))
    progress_message = fields.String(
        required=True, allow_none=True, metadata=about("What it is at", "page 2")
    )
    worker = fields.String(
        required=True, allow_none=True, metadata=about("Who has it, or had it last", "pool-1")
    )
    input = json_object(required=True, metadata=about("Handed to the agent", {"topic": "solar"}))
    result = fields.Raw(
        required=True, allow_none=True, metadata=about("What the agent returned", {"pages": 3})
    )
    error = fields.Nested(
        ErrorOfAgent,
        required=True,
        allow_none=True,
        metadata=about("What the last attempt raised"),
    )
    missed_count = fields.Integer(
        required=True, allow_none=True, metadata=about("Ticks this one row stands for", 12)
    )
    missed_from = Instant(
        required=True, allow_none=True, metadata=about("The first of those ticks")
    )


class SessionQuery(PageQuery):
    """Which sessions of an agent; `from` and `to` filter on `queuedAt`."""

    status = fields.String(
        validate=validate.OneOf(list(SessionStatus)),
        metadata=about("Only those that stand so", "FAILED"),
    )
    trigger = fields.String(
        validate=validate.OneOf(list(Trigger)),
        metadata=about("Only those that came from this", "SCHEDULE"),
    )
    since = QueryInstant(data_key="from", metadata=about("Queued at or after"))
    until = QueryInstant(
        data_key="to", metadata=about("Queued before; not before `from`", "2026-03-09T07:00:00Z")
    )

    @validates_schema
    def check_range(self, query: dict[str, Any], **_: Any) -> None:
        """Refuse a range that ends before it begins."""
        since, until = query.get("since"), query.get("until")
        if since is not None and until is not None and since > until:
            sentence = f"{to_text(since)} is after `to`, {to_text(until)}."
            raise ValidationError(sentence, field_name="since")


class SessionEventSchema(CamelSchema):
    """A line of a session's log."""

    id = fields.Integer(required=True, metadata=about("Grows", 7))
    session_id = fields.String(required=True, metadata=about("Its session", _ID))
    attempt = fields.Integer(
        required=True, allow_none=True, metadata=about("The attempt that wrote it", 1)
    )
    timestamp = Instant(
        required=True, attribute="created_at", metadata=about("When it was written")
    )
    type = fields.String(
        required=True,
        metadata=about("`agent:…` for its lifecycle, else the agent's own word", "page"),
    )
    level = fields.String(
        required=True,
        validate=validate.OneOf(["info", "warning", "error"]),
        metadata=about("How bad it is", "info"),
    )
    message = fields.String(required=True, metadata=about("In words", "read"))
    data = json_object(required=True, metadata=about("What the agent added", {"page": 2}))
