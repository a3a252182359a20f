"""What a schedule would do, what was decided, and what to run again, as clients see it."""

from marshmallow import fields, validate

from neonhub.api.schemas.base import CamelSchema, Instant, StrictBoolean, StrictInteger, about
from neonhub.api.schemas.paging import QueryInstant
from neonhub.api.schemas.schedules import NamedScheduleBody
from neonhub.api.schemas.sessions import SessionSchema
from neonhub.domain.states import Outcome
from neonhub.scheduling.preview import MAX_COUNT


class PreviewBody(NamedScheduleBody):
    """A whole schedule, and which of its ticks to show."""

    count = StrictInteger(
        load_default=10,
        validate=validate.Range(1, MAX_COUNT),
        metadata={"description": "Ticks wanted", "example": 10},
    )
    since = Instant(
        data_key="from",
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The first instant looked at, itself included, and when the schedule "
            "is taken to be created; now by default"
        },
    )
    agent_id = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Whose past runs say whether it can keep up",
            "example": "daily-report",
        },
    )


class OccurrenceSchema(CamelSchema):
    """One tick."""

    at = Instant(required=True, metadata={"description": "The instant"})
    local = fields.String(
        required=True,
        metadata={
            "format": "date-time",
            "description": "The same in the schedule's zone",
            "example": "2026-03-08T03:00:00-04:00",
        },
    )
    note = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "What a change of the clock does to it",
            "example": "02:30 does not exist, as the clocks go forward, and runs right after.",
        },
    )


class PreviewSchema(CamelSchema):
    """What a schedule would do."""

    description = fields.String(required=True, metadata=about("In words", "At 02:30"))
    occurrences = fields.List(
        fields.Nested(OccurrenceSchema), required=True, metadata=about("Its ticks, oldest first")
    )
    warnings = fields.List(
        fields.String(),
        required=True,
        metadata=about("What to think about first", ["It never fires: enabled is false."]),
    )


class ExplainQuery(CamelSchema):
    """Which tick to explain."""

    at = QueryInstant(required=True, metadata={"description": "The newest tick at or before it"})


class ExplanationSchema(CamelSchema):
    """What was decided for a tick, and why."""

    tick = Instant(
        required=True, allow_none=True, metadata={"description": "The tick, jitter included"}
    )
    expected = fields.Boolean(
        required=True, metadata=about("Whether the instant asked for is a tick", True)
    )
    outcome = fields.String(
        required=True,
        validate=validate.OneOf(list(Outcome)),
        metadata=about("`NOT_A_TICK`: none lies there or before, or its row is pruned", "SKIPPED"),
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Why it did not run; `pruned`: nobody knows any more whether it did",
            "example": "overlap",
        },
    )
    session_id = fields.String(
        required=True,
        allow_none=True,
        metadata=about(
            "The row it became, a skipped or missed one's too", "01a209fe2c717d4fb7e329746fcf1024"
        ),
    )
    decided_at = Instant(
        required=True, allow_none=True, metadata=about("When that was decided; null: not yet")
    )


class BackfillBody(CamelSchema):
    """The range to run: `from` is in it, `to` is not."""

    since = Instant(data_key="from", required=True, metadata={"description": "The first instant"})
    until = Instant(
        data_key="to",
        required=True,
        metadata={"description": "Ticks before it", "example": "2026-03-09T07:00:00Z"},
    )
    dry_run = StrictBoolean(load_default=False, metadata=about("Only tell what would run", True))


class BackfillTicks(CamelSchema):
    """The ticks a backfill would run, jitter included."""

    count = fields.Integer(required=True, metadata=about("How many there are", 1))
    ticks = fields.List(
        Instant(), required=True, metadata=about("Oldest first", ["2026-03-08T07:00:00Z"])
    )


class BackfillSchema(BackfillTicks):
    """A backfill's ticks, and the session of each."""

    sessions = fields.List(
        fields.Nested(SessionSchema), required=True, metadata=about("One for each tick")
    )


class StoppedBackfill(CamelSchema):
    """How many sessions were stopped before they started."""

    stopped = fields.Integer(required=True, metadata=about("Sessions that will not start", 20))
