"""The scheduler, as clients read and steer it."""

from marshmallow import fields, validate

from neonhub.api.schemas.base import CamelSchema, Instant, about
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

    id = fields.String(required=True, metadata=about("Made when it starts", "01a209fe2c717d4f"))
    host = fields.String(required=True, metadata=about("Where it runs", "hub-1"))
    pid = fields.Integer(required=True, metadata=about("Its process there", 4711))
    started_at = Instant(required=True, metadata=about("When it started"))
    last_check_at = Instant(required=True, metadata=about("When it last looked at the timers"))
    last_check_ms = fields.Float(required=True, metadata=about("How long that took", 1.5))


class QueueLengths(CamelSchema):
    """Jobs that wait on each queue."""

    critical = fields.Integer(required=True, metadata=about("Taken first", 0))
    high = fields.Integer(required=True, metadata=about("Taken when none is critical", 1))
    normal = fields.Integer(required=True, metadata=about("Taken when none is higher", 7))
    low = fields.Integer(required=True, metadata=about("Taken when nothing else waits", 20))


class WorkerSchema(CamelSchema):
    """A worker of the pool, or a stock one."""

    name = fields.String(required=True, metadata=about("Unique among workers", "pool-1"))
    state = fields.String(required=True, metadata=about("As RQ has it", "busy"))
    session_id = fields.String(
        required=True,
        allow_none=True,
        metadata=about("What it runs", "01a209fe2c717d4fb7e329746fcf1024"),
    )


class ScheduleCounts(CamelSchema):
    """Schedules by whether they are enabled."""

    enabled = fields.Integer(required=True, metadata=about("Those that have ticks", 5))
    disabled = fields.Integer(required=True, metadata=about("Those that have none", 1))


class Lag(CamelSchema):
    """Milliseconds from a planned instant to its firing, over the last 1,000 firings."""

    p50 = fields.Float(required=True, allow_none=True, metadata=about("The median", 3.2))
    p99 = fields.Float(required=True, allow_none=True, metadata=about("99 of 100 are less", 9.8))


class StatusSchema(CamelSchema):
    """The whole scheduler in one answer."""

    state = fields.String(
        required=True,
        validate=validate.OneOf(list(SchedulerState)),
        metadata=about("Of several that hold, ERROR, then PAUSED, then IDLE", "RUNNING"),
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata=about("Why it is paused or in error", "Redis does not answer."),
    )
    schedulers = fields.List(
        fields.Nested(SchedulerProcess), required=True, metadata=about("Those alive")
    )
    next_run_at = Instant(
        required=True, allow_none=True, metadata=about("The next tick of any schedule")
    )
    running = fields.Integer(required=True, metadata=about("Sessions that run", 2))
    max_concurrent = fields.Integer(required=True, metadata=about("How many may run at once", 5))
    queues = fields.Nested(QueueLengths, required=True, metadata=about("What waits"))
    workers = fields.List(
        fields.Nested(WorkerSchema), required=True, metadata=about("Those RQ knows")
    )
    schedules = fields.Nested(ScheduleCounts, required=True, metadata=about("How many there are"))
    fired_total = fields.Integer(
        required=True, metadata=about("Ticks that became sessions, ever", 1234)
    )
    firing_lag_ms = fields.Nested(Lag, required=True, metadata=about("How late it fires"))
