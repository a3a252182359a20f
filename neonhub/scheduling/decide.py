"""Decides the due ticks of a batch of schedules in one transaction."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy.orm import Session

from neonhub.domain.decision import MAX_ROWS, Decision, decide
from neonhub.domain.jitter import jitter_for
from neonhub.domain.states import Overlap, Priority
from neonhub.execution.holds import release_of_schedule
from neonhub.execution.outbox import Outbox
from neonhub.redis.jobs_ahead import JobsAhead
from neonhub.redis.queues import Job, TimerMove
from neonhub.scheduling.replacing import stop_replaced
from neonhub.scheduling.standing import (
    Active,
    LockedRow,
    Read,
    Standing,
    due_schedule,
    look,
    of_whomever,
)
from neonhub.scheduling.tick_rows import Decisions, NewSession, write_decided
from neonhub.scheduling.timers import TICK

logger = logging.getLogger(__name__)


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
        sqlalchemy.exc.IntegrityError: With `ahead`, a tick has its session already: without, it is
            left out.
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
        rows, read, standing = look(self.db, list(self.timers), self.now)
        instants = dict.fromkeys(self.timers.keys() - {row.id for row in rows})
        instants |= {row.id: read(row).next_run_at for row in rows if not row.is_due}
        self.decided.outbox.moves += self._moves(instants)
        due = [row for row in rows if row.is_due]
        if due:
            self._decide_due(due, read, standing)

    def _decide_due(self, due: Sequence[LockedRow], read: Read, standing: Standing) -> None:
        self.queues = {row.id: _QUEUES[row.priority] for row in due}
        parts: Iterable[Decisions] = self._decide_parts(due, read, standing)
        outbox, replacing = self.decided.outbox, list[str]()
        if any(row.overlap == Overlap.REPLACE and row.id in standing.active for row in due):
            parts = list(parts)  # what is replaced is stopped before anything is written
            replacing = [key for part in parts for key, each in part.items() if each.replace]
            stop_replaced(self.db, replacing, outbox, now=self.now)
        many = self.ahead is not None
        lost = write_decided(self.db, parts, self._prepare, now=self.now, many=many)
        if lost:
            self._take_back(lost)
        outbox.moves += self._moves(dict.fromkeys(self.decided.set_aside, self.now + SET_ASIDE))
        for schedule_id in replacing:
            outbox.jobs += release_of_schedule(self.db, schedule_id, now=self.now)
        self._log(len(due))

    def _decide_parts(
        self, due: Sequence[LockedRow], read: Read, standing: Standing
    ) -> Iterator[Decisions]:
        none = Active()

        @cache  # many of a batch differ in nothing that decides them
        def decide_once(row: LockedRow, jitter: timedelta, active: Active, room: int) -> Decision:
            schedule = due_schedule(read(row), jitter, active, standing.is_paused, room)
            return decide(schedule, self.now)

        for part in _parts(due):
            decisions: dict[str, Decision] = {}
            for row in part:
                try:
                    jitter = jitter_for(row.id, row.jitter_seconds)
                    active = standing.active.get(row.id, none)
                    room = max(0, standing.max_queued - standing.waiting[row.agent_key])
                    room = min(room, MAX_ROWS)  # more makes no difference
                    decision = decide_once(of_whomever(row), jitter, active, room)
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
            if session.fires:
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
        self.decided.fired -= sum(session.fires for session in lost)

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


def _parts(due: Sequence[LockedRow]) -> Iterator[Sequence[LockedRow]]:
    """Small ones first, so that the database soon has something to write."""
    start, size = 0, FIRST_PART
    while start < len(due):
        yield due[start : start + size]
        start, size = start + size, min(2 * size, PART)


_QUEUES = {each.value: each.queue for each in Priority}
