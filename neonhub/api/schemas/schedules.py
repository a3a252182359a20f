"""Schedules, as clients write and read them."""

from typing import Any

from marshmallow import fields, validate

from neonhub.api.schemas.base import (
    CamelSchema,
    Instant,
    StrictBoolean,
    StrictInteger,
    about,
    json_object,
)
from neonhub.api.schemas.scheduler import PauseBody
from neonhub.domain.states import CatchUp, Overlap, Priority, SessionStatus
from neonhub.domain.validation import MAX_RETRIES, MAX_RUNS, MAX_SECONDS

_INTERVAL: dict[str, Any] = {
    "description": 'Such as "every 30 minutes", "every day", "90s", "1h30m", or seconds; '
    "at least 1 second",
    "example": "every 30 minutes",
    "oneOf": [{"type": "string"}, {"type": "number", "minimum": 1}, {"type": "null"}],
}


class ScheduleFieldsSchema(CamelSchema):
    """A whole schedule: exactly one of `cronExpression`, `interval` and `runAt`, and the rest."""

    cron_expression = fields.String(
        allow_none=True,
        validate=validate.Length(max=255),
        metadata={
            "description": "Five fields (minute hour day month weekday) or @hourly, @daily, "
            "@midnight, @weekly, @monthly, @yearly, @annually",
            "example": "0 9 * * 1-5",
        },
    )
    interval = fields.Raw(allow_none=True, metadata=_INTERVAL)
    run_at = Instant(allow_none=True, metadata={"description": "One instant"})
    timezone = fields.String(
        allow_none=True,
        validate=validate.Length(max=64),
        metadata={"description": "IANA name, for cron only", "example": "Europe/Berlin"},
    )
    priority = fields.String(
        allow_none=True,
        validate=validate.OneOf(list(Priority)),
        metadata={"description": "Which queue its sessions wait on", "example": "NORMAL"},
    )
    enabled = StrictBoolean(
        allow_none=True, metadata=about("A disabled schedule has no ticks", True)
    )
    input = json_object(
        allow_none=True,
        metadata={"description": "Handed to the agent", "example": {"topic": "solar"}},
    )
    max_retries = StrictInteger(
        allow_none=True,
        metadata={
            "description": "Starts after a failed one",
            "example": 3,
            "minimum": 0,
            "maximum": MAX_RETRIES,
        },
    )
    timeout_seconds = StrictInteger(
        allow_none=True,
        metadata={
            "description": "How long one attempt may run",
            "example": 600,
            "minimum": 1,
            "maximum": MAX_SECONDS,
        },
    )
    start_at = Instant(
        allow_none=True,
        metadata={"description": "Nothing fires before; an interval's grid begins here"},
    )
    end_at = Instant(
        allow_none=True,
        metadata={
            "description": "Nothing fires after; a tick must be left before it",
            "example": "2027-03-08T07:00:00Z",
        },
    )
    max_runs = StrictInteger(
        allow_none=True,
        metadata={
            "description": "Ticks that run, then it is done",
            "example": 10,
            "minimum": 1,
            "maximum": MAX_RUNS,
        },
    )
    jitter_seconds = StrictInteger(
        allow_none=True,
        metadata={
            "description": "Every tick moves later by the same amount, 0 to this",
            "example": 30,
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )
    overlap = fields.String(
        allow_none=True,
        validate=validate.OneOf(list(Overlap)),
        metadata={"description": "What a tick does while another session runs", "example": "SKIP"},
    )
    catch_up = fields.String(
        allow_none=True,
        validate=validate.OneOf(list(CatchUp)),
        metadata={"description": "Which missed ticks run", "example": "LATEST"},
    )
    catch_up_window_seconds = StrictInteger(
        allow_none=True,
        metadata={
            "description": "How late a tick may be caught up",
            "example": 3600,
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )


class NamedScheduleBody(ScheduleFieldsSchema):
    """A whole schedule with the name that tells it from the agent's others."""

    name = fields.String(
        load_default="default",
        validate=[
            validate.Length(min=1, max=100),
            validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="It holds control characters."),
        ],
        metadata={"description": "Unique among the agent's schedules", "example": "nightly"},
    )


class ScheduleChanges(NamedScheduleBody):
    """Fields of a schedule to change; those left out stay, `null` sets the default."""


class ScheduleSchema(ScheduleFieldsSchema):
    """A schedule, and where it stands."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """An answer has every field."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = True

    id = fields.String(
        required=True,
        metadata=about("Stays through all changes", "01a209fe2c717d4fb7e329746fcf1024"),
    )
    agent_id = fields.String(required=True, metadata=about("Its agent", "daily-report"))
    name = fields.String(
        required=True, metadata=about("Unique among the agent's schedules", "default")
    )
    version = fields.Integer(
        required=True, metadata={"description": "Grows with each change; the `ETag`", "example": 1}
    )
    description = fields.String(
        required=True,
        metadata={"description": "In words", "example": "At 09:00, Monday through Friday"},
    )
    paused = fields.Boolean(required=True, metadata=about("Whether its ticks are skipped", False))
    pause_reason = fields.String(
        required=True, allow_none=True, metadata=about("Why it is paused", "holidays")
    )
    skip_next = fields.Boolean(
        required=True, metadata=about("Whether the next tick will be skipped", False)
    )
    next_run_at = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "The next tick, jitter included; null when there is none"},
    )
    last_run_at = Instant(
        required=True, allow_none=True, metadata={"description": "When it last started"}
    )
    last_status = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(list(SessionStatus)),
        metadata={"description": "What became of that run", "example": "COMPLETED"},
    )
    created_at = Instant(required=True, metadata=about("When it was created"))
    updated_at = Instant(required=True, metadata=about("When it was last changed"))


_NOT_NULL: dict[str, Any] = {
    "allow_none": False,
    "error_messages": {"null": "It may not be null; leave it out to mean all."},
}
"""Of a filter: a value that a client failed to find must not stand for everything."""


class FilterBody(PauseBody):
    """Which schedules are meant: those that match everything given."""

    agent_ids = fields.List(
        fields.String(),
        load_default=None,
        **_NOT_NULL,
        validate=validate.Length(max=1000),
        metadata={"description": "Of these agents", "example": ["daily-report"]},
    )
    names = fields.List(
        fields.String(),
        load_default=None,
        **_NOT_NULL,
        validate=validate.Length(max=1000),
        metadata={"description": "Of these names", "example": ["nightly"]},
    )
    priority = fields.String(
        load_default=None,
        **_NOT_NULL,
        validate=validate.OneOf(list(Priority)),
        metadata={"description": "Of this priority", "example": "LOW"},
    )


class ChangedSchema(CamelSchema):
    """How many schedules were changed."""

    changed = fields.Integer(required=True, metadata=about("Those that were in the other state", 3))
