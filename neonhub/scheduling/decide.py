"""Decides the due ticks of a batch of schedules in one transaction."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from sqlalchemy import Executable, bindparam, func, select
from sqlalchemy.orm import Session

from neonhub.database import connection_of
from neonhub.domain.decision import MAX_ROWS, Decision, DueSchedule, decide
from neonhub.domain.jitter import jitter_for
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, HoldReason, Overlap, Priority, SessionStatus
from neonhub.execution.fleet import get_fleet
from neonhub.execution.holds import release_of_schedule
from neonhub.execution.limits import queued_of
from neonhub.execution.outbox import Outbox
from neonhub.models import AgentSession, Fleet, Schedule
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.redis.jobs_ahead import JobsAhead
from neonhub.redis.queues import Job, TimerMove
from neonhub.scheduling.replacing import stop_replaced
from neonhub.scheduling.tick_rows import Decisions, NewSession, write_decided
from neonhub.scheduling.timers import TICK
from neonhub.statements import run_unread

logger = logging.getLogger(__name__)


_Read = Callable[["_Row"], "_Row"]
"""Makes of a row as the driver has it one with the values of its types."""

FIRST_PART, PART = 125, 500
"""Schedules that are decided while the database writes those before them."""

SET_ASIDE = timedelta(minutes=1)
"""How long what can't be decided waits before it is tried again."""


@dataclass(slots=True)
class Decided:
    """What became of a batch; the outbox, all timers in it, is delivered after the commit."""

    outbox: Outbox = field(default_factory=Outbox)
    set_aside: set[str] = field(default_factory=set)
    """Ids of schedules that could not be decided, for a reason in the log."""
    fired: int = 0
    """Ticks that became sessions that run."""


class _Active(NamedTuple):
    """The unended sessions of one schedule, those held for a backfill left out."""

    all: int = 0
    waiting: int = 0
    catching_up: int = 0


class _Standing(NamedTuple):
    """What the due ticks of a batch meet."""

    is_paused: bool
    max_queued: int  # of one agent
    active: Mapping[str, _Active]  # by schedule; those that have none are left out
    waiting: Counter[int]  # by agent, those of the batch included once they are decided


class _Row(NamedTuple):
    """What decides the due ticks of a schedule, as it is in the database, and whose they are."""

    id: str
    agent_key: int
    priority: str
    is_due: bool | None
    cron_expression: str | None
    interval_seconds: float | None
    run_at: datetime | None
    timezone: str
    anchor_at: datetime | None
    start_at: datetime | None
    end_at: datetime | None
    next_tick_at: datetime
    next_run_at: datetime | None
    jitter_seconds: int
    overlap: str
    catch_up: str
    catch_up_window_seconds: int
    max_runs: int | None
    run_count: int
    paused_at: datetime | None
    skip_next: bool


def decide_ticks(
    db: Session,
    timers: Mapping[str, float | None],
    now: datetime,
    *,
    ahead: JobsAhead | None = None,
) -> Decided:
    """Decide what is due of the schedules given; what was decided already stays as it is.

    The rows are locked by id alone, most urgent first. Sessions are inserted and schedules moved
    on by one statement each for every `PART` of them.

    Args:
        timers: Schedule id → the score that its timer must still carry to be moved, None for any.
            Those disabled, removed or not yet due only have their timers put right.
        now: Timezone-aware instant the decisions are made at.
        ahead: Takes jobs and moves of many while the database works; None: all are in the outbox.

    Raises:
        sqlalchemy.exc.IntegrityError: A tick of many, with `ahead`, has its session already: fewer
            at a time can be decided.
    """
    batch = _Batch(db, timers, now, ahead)
    batch.decide()
    return batch.decided


class _Batch:
    """The state of one batch."""

    def __init__(
        self,
        db: Session,
        timers: Mapping[str, float | None],
        now: datetime,
        ahead: JobsAhead | None,
    ) -> None:
        self.db = db
        self.timers = timers
        self.now = now
        self.ahead = ahead
        self.decided = Decided(Outbox(ahead=ahead))
        self.queues: dict[str, str] = {}  # by schedule
        self.next_run_at: dict[str, datetime | None] = {}  # by schedule, once it is decided

    def decide(self) -> None:
        rows, read, standing = _look(self.db, list(self.timers), self.now)
        instants = dict.fromkeys(self.timers.keys() - {row.id for row in rows})
        instants |= {row.id: read(row).next_run_at for row in rows if not row.is_due}
        self.decided.outbox.moves += self._moves(instants)
        due = [row for row in rows if row.is_due]
        if due:
            self._decide_due(due, read, standing)

    def _decide_due(self, due: Sequence[_Row], read: _Read, standing: _Standing) -> None:
        self.queues = {row.id: _QUEUES[row.priority] for row in due}
        parts: Iterable[Decisions] = self._decide_parts(due, read, standing)
        outbox, replacing = self.decided.outbox, list[str]()
        if any(row.overlap == Overlap.REPLACE and row.id in standing.active for row in due):
            parts = list(parts)  # what is replaced is stopped before anything is written
            replacing = [key for part in parts for key, each in part.items() if each.replace]
            stop_replaced(self.db, replacing, outbox, now=self.now)
        if len(due) <= PART:
            self.ahead = None
        many = self.ahead is not None
        lost = write_decided(self.db, parts, self._prepare, now=self.now, many=many)
        if lost:
            self._take_back(lost)
        outbox.moves += self._moves(dict.fromkeys(self.decided.set_aside, self.now + SET_ASIDE))
        for schedule_id in replacing:
            outbox.jobs += release_of_schedule(self.db, schedule_id, now=self.now)
        self._log(len(due))

    def _decide_parts(
        self, due: Sequence[_Row], read: _Read, standing: _Standing
    ) -> Iterator[Decisions]:
        none = _Active()

        @cache  # many of a batch differ in nothing that decides them
        def decide_once(row: _Row, jitter: timedelta, active: _Active, room: int) -> Decision:
            schedule = _due_schedule(read(row), jitter, active, standing.is_paused, room)
            return decide(schedule, self.now)

        for part in _parts(due):
            decisions: dict[str, Decision] = {}
            for row in part:
                try:
                    jitter = jitter_for(row.id, row.jitter_seconds)
                    active = standing.active.get(row.id, none)
                    room = max(0, standing.max_queued - standing.waiting[row.agent_key])
                    room = min(room, MAX_ROWS)  # more makes no difference
                    decision = decide_once(_WHOEVER + row[3:], jitter, active, room)
                    decisions[row.id] = decision
                    self.next_run_at[row.id] = decision.next_run_at
                    standing.waiting[row.agent_key] += decision.runs
                except Exception as error:
                    logger.exception("Set aside: %s", error, extra={"schedule_id": row.id})
                    self.decided.set_aside.add(row.id)
            yield decisions

    def _prepare(self, sessions: Sequence[NewSession]) -> None:
        """Get ready what follows the commit, as if all were inserted; the database is writing."""
        jobs = []
        for session in sessions:
            if session.tick.status is SessionStatus.QUEUED:
                self.decided.fired += 1
                if session.tick.hold_reason is None:
                    jobs.append(Job(session.id, 1, 1, self.queues[session.schedule_id]))
        moves = self._moves(self.next_run_at)
        if self.ahead is None:
            self.decided.outbox.jobs += jobs
            self.decided.outbox.moves += moves
        else:
            self.ahead.write(jobs, moves)

    def _take_back(self, lost: Sequence[NewSession]) -> None:
        """Somebody else has decided these ticks."""
        outbox, ids = self.decided.outbox, {session.id for session in lost}
        outbox.jobs = [job for job in outbox.jobs if job.session_id not in ids]
        self.decided.fired -= sum(each.tick.status is SessionStatus.QUEUED for each in lost)

    def _moves(self, instants: Mapping[str, datetime | None]) -> list[TimerMove]:
        return [
            TimerMove(TICK + key, self.timers[key], at.timestamp() if at else None)
            for key, at in instants.items()
        ]

    def _log(self, count: int) -> None:
        jobs = [*(self.ahead.jobs if self.ahead else ()), *self.decided.outbox.jobs]
        extra = {
            "schedules": count - len(self.decided.set_aside),
            "fired": self.decided.fired,
            "session_ids": [job.session_id for job in jobs],
        }
        logger.info("Decided what is due.", extra=extra)


def _parts(due: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Small ones first, so that the database soon has something to write."""
    start, size = 0, FIRST_PART
    while start < len(due):
        yield due[start : start + size]
        start, size = start + size, min(2 * size, PART)


def _look(
    db: Session, schedule_ids: Sequence[str], now: datetime
) -> tuple[list[_Row], _Read, _Standing]:
    """Lock the schedules, and look what their ticks meet once they are.

    The rows are unread: those of a batch that are alike need to be read once.
    """
    connection, is_sqlite = connection_of(db)
    wanted = _WANTED.values([(each,) for each in schedule_ids], is_sqlite=is_sqlite)
    rows, read, (limits, active, waiting) = run_unread(
        connection,
        (_select_locked(is_sqlite), {**wanted, "now": now}),
        [
            (_LIMITS, {}),
            (_count_active(is_sqlite), wanted),
            (_count_waiting(is_sqlite), wanted),
        ],
    )
    if not limits:
        get_fleet(db)  # says what is missing
    (fleet,) = limits
    standing = _Standing(
        fleet.paused_at is not None, fleet.max_queued, _active(active), Counter(dict(waiting))
    )
    return rows, read, standing


_WANTED = GivenTable("wanted", id=str)


@cache
def _select_locked(is_sqlite: bool) -> Executable:
    columns = Schedule.__table__.c
    wanted = _WANTED.on(is_sqlite=is_sqlite)
    is_due = (columns.next_run_at <= bindparam("now", type_=UtcDateTime())).label("is_due")
    return (
        select(*(is_due if name == "is_due" else columns[name] for name in _Row._fields))
        .where(columns.id.in_(select(wanted.c.id)))
        .order_by(columns.priority_rank, columns.id)
        .with_for_update(of=Schedule.__table__)
    )


def _active(counted: Iterable[tuple[str, str | None, int]]) -> dict[str, _Active]:
    counts: dict[str, dict[str | None, int]] = {}
    for schedule_id, reason, count in counted:
        if reason != HoldReason.BACKFILL:
            counts.setdefault(str(schedule_id), {})[reason] = count
    return {
        schedule_id: _Active(
            sum(by_hold.values()),
            by_hold.get(HoldReason.OVERLAP, 0),
            by_hold.get(HoldReason.CATCH_UP, 0),
        )
        for schedule_id, by_hold in counts.items()
    }


_LIMITS = select(Fleet.paused_at, Fleet.max_queued)


@cache
def _count_active(is_sqlite: bool) -> Executable:
    wanted, hold = _WANTED.on(is_sqlite=is_sqlite), AgentSession.hold_reason
    is_wanted = AgentSession.schedule_id.in_(select(wanted.c.id))
    return (
        select(AgentSession.schedule_id, hold, func.count())
        .where(is_wanted, AgentSession.finished_at.is_(None))
        .group_by(AgentSession.schedule_id, hold)
    )


@cache
def _count_waiting(is_sqlite: bool) -> Executable:
    wanted = _WANTED.on(is_sqlite=is_sqlite)
    return queued_of(select(Schedule.agent_key).where(Schedule.id.in_(select(wanted.c.id))))


_WHOEVER = (None, None, None)
"""In place of a schedule's id, agent and priority, which decide nothing."""


def _due_schedule(
    row: _Row, jitter: timedelta, active: _Active, is_paused: bool, room: int
) -> DueSchedule:
    return DueSchedule(
        recurrence=Recurrence(
            cron_expression=row.cron_expression,
            interval_seconds=row.interval_seconds,
            run_at=row.run_at,
            timezone=row.timezone,
            anchor=row.anchor_at,
            start_at=row.start_at,
            end_at=row.end_at,
        ).jittered(jitter),
        next_tick_at=row.next_tick_at,
        jitter=jitter,
        overlap=_OVERLAPS[row.overlap],
        catch_up=_CATCH_UPS[row.catch_up],
        catch_up_window_seconds=row.catch_up_window_seconds,
        runs_left=None if row.max_runs is None else row.max_runs - row.run_count,
        paused=is_paused or row.paused_at is not None,
        skip_next=row.skip_next,
        active=active.all,
        waiting=active.waiting,
        catching_up=active.catching_up,
        room=room,
    )


_OVERLAPS = {each.value: each for each in Overlap}
_CATCH_UPS = {each.value: each for each in CatchUp}
_QUEUES = {each.value: each.queue for each in Priority}
