"""Why a tick ran or did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.history import Tick, Version, newest_tick
from neonhub.domain.interval import parse_interval
from neonhub.domain.jitter import jitter_for
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import Outcome, Reason, SessionStatus
from neonhub.models import AgentSession, Schedule, ScheduleVersion
from neonhub.models.finding import find_schedule, read_pruned_until
from neonhub.models.session import DECIDED

_LAST = datetime(9999, 1, 1, tzinfo=UTC)
_OUTCOMES = {SessionStatus.SKIPPED: Outcome.SKIPPED, SessionStatus.MISSED: Outcome.MISSED}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was decided for the newest tick at or before an instant."""

    tick: datetime | None
    expected: bool
    outcome: Outcome
    reason: str | None = None
    session_id: str | None = None
    decided_at: datetime | None = None


def explain(database: Database, schedule_id: str, at: datetime, *, now: datetime) -> Explanation:
    """Explain the newest tick at or before an instant, by what was in force then.

    Args:
        at: Timezone-aware instant, past or future.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    with database.read() as db:
        schedule = find_schedule(db, schedule_id)
        tick = newest_tick(_versions(db, schedule), min(at, _LAST))
        if tick is None:
            return Explanation(None, False, Outcome.NOT_A_TICK, _before_all(schedule, at))
        row = _row_of(db, schedule, tick)
        # Read after the row: it may be pruned while we look.
        pruned_until = read_pruned_until(db, schedule_id)
    if row is None:
        outcome, reason = _without_row(schedule, tick, pruned_until, now)
        return Explanation(tick.scheduled_for, tick.scheduled_for == at, outcome, reason)
    outcome = _OUTCOMES.get(SessionStatus(row.status), Outcome.FIRED)
    reason = None if outcome is Outcome.FIRED else row.reason
    expected = tick.scheduled_for == at
    return Explanation(tick.scheduled_for, expected, outcome, reason, row.id, row.queued_at)


def _versions(db: Session, schedule: Schedule) -> list[Version]:
    query = select(ScheduleVersion).where(ScheduleVersion.schedule_id == schedule.id)
    rows = db.scalars(query.order_by(ScheduleVersion.version))
    return [_version(row.valid_from, row.body, schedule.id) for row in rows]


def _version(valid_from: datetime, body: Mapping[str, Any], schedule_id: str) -> Version:
    recurrence = Recurrence(
        cron_expression=body["cronExpression"],
        interval_seconds=None if body["interval"] is None else parse_interval(body["interval"]),
        run_at=_instant(body["runAt"]),
        timezone=body["timezone"],
        anchor=_instant(body["anchorAt"]),
        start_at=_instant(body["startAt"]),
        end_at=_instant(body["endAt"]),
    )
    jitter = jitter_for(schedule_id, body["jitterSeconds"])
    return Version(valid_from, recurrence.jittered(jitter), body["enabled"], jitter)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _before_all(schedule: Schedule, at: datetime) -> str:
    if at < schedule.created_at:
        return f"The schedule was created at {schedule.created_at:%Y-%m-%dT%H:%M:%SZ}."
    return "No tick of the schedule lies at or before this instant."


def _row_of(db: Session, schedule: Schedule, tick: Tick) -> AgentSession | None:
    """The tick's own row, or the one it shares with others."""
    # Spelled out so that the unique index of decided ticks serves.
    decided = select(AgentSession).where(text(DECIDED), AgentSession.schedule_id == schedule.id)
    own = db.scalars(decided.where(AgentSession.tick_at == tick.at)).one_or_none()
    if own is not None:
        return own
    shared = decided.where(AgentSession.missed_from.is_not(None), AgentSession.tick_at > tick.at)
    row = db.scalars(shared.order_by(AgentSession.tick_at).limit(1)).one_or_none()
    if row is None or row.missed_from is None or row.missed_from > tick.scheduled_for:
        return None
    return row


def _without_row(
    schedule: Schedule, tick: Tick, pruned_until: datetime | None, now: datetime
) -> tuple[Outcome, str | None]:
    if schedule.next_tick_at is not None and tick.at >= schedule.next_tick_at:
        return Outcome.PENDING, None
    if pruned_until is not None and tick.at <= pruned_until:
        return Outcome.NOT_A_TICK, Reason.PRUNED
    if schedule.max_runs is not None and schedule.run_count >= schedule.max_runs:
        return Outcome.SKIPPED, Reason.ENDED
    if tick.scheduled_for > now - _SETTLING:
        return Outcome.PENDING, None
    return Outcome.MISSED, Reason.NO_RECORD


_SETTLING = timedelta(seconds=1)
"""A decision made in this moment may not be seen yet."""
