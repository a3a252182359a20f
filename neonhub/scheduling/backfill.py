"""Running the ticks of a past range, once each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from redis import Redis
from sqlalchemy import and_, or_, select, text
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.decision import TickRow
from neonhub.domain.instant import text_of
from neonhub.domain.jitter import jitter_for
from neonhub.domain.occurrences import ticks_between
from neonhub.domain.states import HoldReason, SessionStatus, Trigger
from neonhub.domain.validation import FIRST_YEAR
from neonhub.errors import InvalidInput
from neonhub.execution.endings import failed_event
from neonhub.execution.holds import release_of_schedule
from neonhub.execution.outbox import Outbox
from neonhub.models import AgentSession, Schedule
from neonhub.models.finding import find_schedule, read_pruned_until
from neonhub.models.given_rows import given_rows
from neonhub.models.session import BACKFILLED, DECIDED
from neonhub.redis.counters import EndedSession
from neonhub.scheduling.schedule_body import recurrence_of
from neonhub.scheduling.tick_rows import insert_sessions, new_sessions

MAX_TICKS = 10_000
BATCH = 500

_NOT_RUN = (SessionStatus.SKIPPED, SessionStatus.MISSED)


def backfill_ticks(
    database: Database, schedule_id: str, since: datetime, until: datetime, *, now: datetime
) -> list[datetime]:
    """The ticks a backfill would run, jitter included, oldest first.

    Those that ran, or are not decided yet, are left out; skipped and missed ones are in.

    Args:
        since: The first instant of the range.
        until: The end of the range, itself not in it.

    Raises:
        ScheduleNotFound: No schedule has this id.
        InvalidInput: The range is empty or turned around, has more than 10,000 ticks, or begins
            where rows are pruned.
    """
    with database.read() as db:
        schedule = find_schedule(db, schedule_id)
        return [row.scheduled_for for row in _rows(db, schedule, since, until, now)]


def backfill(
    database: Database,
    redis: Redis,
    schedule_id: str,
    since: datetime,
    until: datetime,
    *,
    now: datetime,
) -> list[AgentSession]:
    """Queue a session for each tick of a range that did not run; they start few at a time.

    Args:
        since: The first instant of the range.
        until: The end of the range, itself not in it.

    Returns:
        The sessions, by tick.

    Raises:
        ScheduleNotFound: No schedule has this id.
        InvalidInput: The range is empty or turned around, has more than 10,000 ticks, or begins
            where rows are pruned.
    """
    outbox = Outbox()
    with database.begin() as db:
        schedule = find_schedule(db, schedule_id, lock=True)
        rows = _rows(db, schedule, since, until, now)
        sessions = new_sessions([(schedule.id, row) for row in rows])
        inserted = insert_sessions(db, sessions, now=now, trigger=Trigger.BACKFILL)
        outbox.jobs += release_of_schedule(db, schedule.id, now=now)
        made = _read(db, schedule.id, inserted)
    outbox.deliver(redis)
    return made


def stop_backfill(database: Database, redis: Redis, schedule_id: str, *, now: datetime) -> int:
    """Stop what waits of a schedule's backfills; what runs is left to finish.

    Returns:
        How many sessions were stopped.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    with database.read() as db:
        find_schedule(db, schedule_id)
    return stop_waiting(database, redis, schedule_id, now=now)


def stop_waiting(database: Database, redis: Redis, schedule_id: str, *, now: datetime) -> int:
    """Stop what waits of a schedule's backfills, even if the schedule is gone."""
    stopped = 0
    while True:
        outbox = Outbox()
        with database.begin() as db:
            batch = _waiting(db, schedule_id)
            for session in batch:
                _stop(db, session, outbox, now)
        outbox.deliver(redis)
        stopped += len(batch)
        if len(batch) < BATCH:
            return stopped


def _rows(
    db: Session, schedule: Schedule, since: datetime, until: datetime, now: datetime
) -> list[TickRow]:
    if until <= since:
        raise InvalidInput({"to": ["It must be after from."]})
    if since.year < FIRST_YEAR:
        raise InvalidInput({"from": [f"It must not be before the year {FIRST_YEAR}."]})
    jitter = jitter_for(schedule.id, schedule.jitter_seconds)
    # What is not due yet, or not decided, belongs to the scheduler.
    end = min(until, now)
    if schedule.next_run_at is not None:
        end = min(end, schedule.next_run_at)
    ticks = ticks_between(recurrence_of(schedule), since - jitter, end - jitter)
    wanted = list(islice(ticks, MAX_TICKS + 1))
    if len(wanted) > MAX_TICKS:
        sentence = f"The range has more than {MAX_TICKS:,} ticks; backfill a shorter one."
        raise InvalidInput({"to": [sentence]})
    ran = _ran(db, schedule.id, wanted)
    _require_known(db, schedule.id, wanted, jitter)
    return [
        TickRow(tick, tick + jitter, SessionStatus.QUEUED, hold_reason=HoldReason.BACKFILL)
        for tick in wanted
        if tick not in ran
    ]


def _require_known(
    db: Session, schedule_id: str, ticks: Sequence[datetime], jitter: timedelta
) -> None:
    """Refuse ticks that may have run, as their rows are pruned."""
    pruned_until = read_pruned_until(db, schedule_id)
    if pruned_until is None or not ticks or ticks[0] > pruned_until:
        return
    until = text_of(pruned_until + jitter)
    sentence = (
        f"What ran until {until} is pruned, so nothing tells which of these ticks ran already; "
        "begin after it."
    )
    raise InvalidInput({"from": [sentence]})


def _ran(db: Session, schedule_id: str, ticks: Sequence[datetime]) -> set[datetime]:
    """Those of the ticks that ran, run, or wait to."""
    if not ticks:
        return set()
    found: set[datetime] = set()
    stopped_before = and_(
        AgentSession.status == SessionStatus.STOPPED, AgentSession.started_at.is_(None)
    )
    wanted = given_rows(db, {"tick_at": (datetime, ticks)})
    for rows in (DECIDED, BACKFILLED):  # each has an index of its own
        query = select(AgentSession.tick_at).where(
            text(rows),
            AgentSession.schedule_id == schedule_id,
            AgentSession.tick_at.in_(select(wanted.c.tick_at)),
            ~or_(AgentSession.status.in_(_NOT_RUN), stopped_before),
        )
        found.update(tick for tick in db.scalars(query) if tick is not None)
    return found


def _read(db: Session, schedule_id: str, ids: set[str]) -> list[AgentSession]:
    """The sessions just inserted; one query by schedule, as there may be thousands of ids."""
    query = select(AgentSession).where(
        text(BACKFILLED),
        AgentSession.schedule_id == schedule_id,
        AgentSession.finished_at.is_(None),
    )
    return [one for one in db.scalars(query.order_by(AgentSession.tick_at)) if one.id in ids]


def _waiting(db: Session, schedule_id: str) -> list[AgentSession]:
    query = (
        select(AgentSession)
        .where(
            AgentSession.schedule_id == schedule_id,
            AgentSession.finished_at.is_(None),
            AgentSession.hold_reason == HoldReason.BACKFILL,
        )
        .order_by(AgentSession.scheduled_for.desc())
        .limit(BATCH)
    )
    return list(db.scalars(query.with_for_update()))


def _stop(db: Session, session: AgentSession, outbox: Outbox, now: datetime) -> None:
    session.status = SessionStatus.STOPPED
    session.hold_reason = None
    session.stop_requested_at = session.finished_at = now
    outbox.ended.append(EndedSession(session.agent_id, session.status, None))
    outbox.tell(db, [failed_event(session, now=now)], now=now)
