"""The scheduler, as clients read and steer it."""

from marshmallow import fields, validate

from neonhub.api.schemas.base import CamelSchema, Instant
from neonhub.domain.states import SchedulerState


class PauseBody(CamelSchema):
    """Why it is paused."""

    reason = fields.String(
        load_default=None,
        allow_none=True,
        validate=[
            validate.Length(max=500),
            validate.Regexp(r"[^\x00]*\Z", error="It holds NUL."),
        ],
        metadata={"description": "Shown with the pause", "example": "migration of the CRM"},
    )


class SchedulerProcess(CamelSchema):
    """A scheduler that is alive."""

    id = fields.String(required=True)
    host = fields.String(required=True)
    pid = fields.Integer(required=True)
    started_at = Instant(required=True)
    last_check_at = Instant(required=True)
    last_check_ms = fields.Float(required=True, metadata={"description": "Duration", "example": 1})


class QueueLengths(CamelSchema):
    """Jobs that wait on each queue."""

    critical = fields.Integer(required=True)
    high = fields.Integer(required=True)
    normal = fields.Integer(required=True)
    low = fields.Integer(required=True)


class WorkerSchema(CamelSchema):
    """A worker of the pool, or a stock one."""

    name = fields.String(required=True)
    state = fields.String(required=True, metadata={"example": "busy"})
    session_id = fields.String(required=True, allow_none=True)


class ScheduleCounts(CamelSchema):
    """Schedules by whether they are enabled."""

    enabled = fields.Integer(required=True)
    disabled = fields.Integer(required=True)


class Lag(CamelSchema):
    """Milliseconds from a planned instant to its firing, over the last 1,000 firings."""

    p50 = fields.Float(required=True, allow_none=True)
    p99 = fields.Float(required=True, allow_none=True)


class StatusSchema(CamelSchema):
    """The whole scheduler in one answer."""

    state = fields.String(required=True, validate=validate.OneOf(list(SchedulerState)))
    reason = fields.String(required=True, allow_none=True)
    schedulers = fields.List(fields.Nested(SchedulerProcess), required=True)
    next_run_at = Instant(required=True, allow_none=True)
    running = fields.Integer(required=True)
    max_concurrent = fields.Integer(required=True)
    queues = fields.Nested(QueueLengths, required=True)
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    schedules = fields.Nested(ScheduleCounts, required=True)
    fired_total = fields.Integer(required=True)
    firing_lag_ms = fields.Nested(Lag, required=True)
