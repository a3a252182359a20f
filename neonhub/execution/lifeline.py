"""Puts right what a crash, a lost message or an outage left behind."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import exists, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.states import QUEUES, HoldReason, SessionStatus
from neonhub.events import publish
from neonhub.execution.endings import Ended, Outcome, finish_in, lock_session
from neonhub.execution.fleet import get_fleet
from neonhub.execution.holds import next_push, release_of_schedule
from neonhub.execution.outbox import Outbox, event_of
from neonhub.execution.slots import assign_free_slots
from neonhub.faults import reach
from neonhub.models import AgentSession, Attempt, SessionEvent
from neonhub.models.session import QUEUED
from neonhub.redis.queues import queued_job_ids

logger = logging.getLogger(__name__)

PUSH_AGAIN_AFTER = timedelta(seconds=5)
"""How long a job may be on its way before the lifeline looks for it."""

PUBLISH_AGAIN_AFTER = timedelta(seconds=3)
PAGE_SIZE = 1000

_PLACE = (AgentSession.priority_rank, AgentSession.queued_at, AgentSession.id)
_Place = tuple[int, datetime, str]


class Lifeline:
    """One step every few seconds in each scheduler; several side by side do no harm."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis
        self._database_seen_since: datetime | None = None
        self._published_until: datetime | None = None

    def step(self, now: datetime) -> None:
        """Look once for everything that may be stuck; a part that fails is tried again next time.

        Args:
            now: Timezone-aware instant that leases and waits are judged by.
        """
        try:
            self._try_all(now)
        except DBAPIError as error:
            self._database_seen_since = None
            logger.warning("The lifeline waits for the database: %s", error)

    def _try_all(self, now: datetime) -> None:
        parts: tuple[Callable[[datetime], None], ...] = (
            self._give_up_lost_attempts,
            self._release_held,
            self._push_again,
            self._publish_again,
        )
        for part in parts:
            try:
                part(now)
            except RedisError as error:
                logger.warning("The lifeline waits for Redis: %s", error)

    def _give_up_lost_attempts(self, now: datetime) -> None:
        """End attempts whose lease has ended.

        Judged only after the database was there for one whole lease: while it was away, nobody
        could renew.
        """
        self._database_seen_since = self._database_seen_since or now
        with self._database.read() as db:
            lease = timedelta(milliseconds=get_fleet(db).lease_ms)
            expired = (Attempt.finished_at.is_(None), Attempt.lease_until < now)
            lost = db.execute(select(Attempt.session_id, Attempt.number).where(*expired)).all()
        if now - self._database_seen_since < lease:
            return
        for session_id, number in lost:
            self._give_up(session_id, number, now)

    def _give_up(self, session_id: str, number: int, now: datetime) -> None:
        outbox = Outbox()
        with self._database.begin() as db:
            session = lock_session(db, session_id)
            attempt = db.get(Attempt, (session_id, number), with_for_update=True)
            if session is None or attempt is None or attempt.finished_at is not None:
                return
            if attempt.lease_until >= now:
                return
            sentence = f"Worker {attempt.worker} stopped renewing the lease of attempt {number}."
            error = {"type": "WorkerLost", "message": sentence, "traceback": None}
            outcome = Outcome(AttemptEnd.LOST, error=error)
            finish_in(
                db, [Ended(_Lost(session_id, number, attempt.token), outcome)], outbox, now=now
            )
        logger.warning(sentence, extra={"session_id": session_id})
        reach("lifeline.given-up")
        outbox.deliver(self._redis)

    def _release_held(self, now: datetime) -> None:
        """Release whoever is held for something that is no longer there."""
        with self._database.read() as db:
            if not _is_any_held(db):
                return  # as nearly always: others need not wait for this transaction to write
        outbox = Outbox()
        with self._database.begin() as db:
            outbox.jobs += assign_free_slots(db, now=now)
            for schedule_id in _schedules_with_held(db):
                outbox.jobs += release_of_schedule(db, schedule_id, now=now)
        outbox.deliver(self._redis)

    def _push_again(self, now: datetime) -> None:
        """Push again what is queued, not held, and on no queue.

        The queues are read once, however many pages wait; who was taken off them meanwhile is
        found to run when it would be pushed.
        """
        on_queue: set[str] | None = None
        after: _Place | None = None
        while waiting := self._waiting(now - PUSH_AGAIN_AFTER, after):
            on_queue = on_queue or self._on_queues()
            lost = [row.id for row in waiting if f"{row.id}-{row.attempt}" not in on_queue]
            if lost:
                self._push(lost, now)
            last = waiting[-1]
            after = (last.priority_rank, last.queued_at, last.id)

    def _on_queues(self) -> set[str]:
        """Session and attempt of each job that waits."""
        return {job_id.rpartition("-")[0] for job_id in queued_job_ids(self._redis, QUEUES)}

    def _waiting(self, before: datetime, after: _Place | None) -> Sequence[Any]:
        """A page of waiting sessions pushed before an instant, in the order of their index."""
        query = select(*_PLACE, AgentSession.attempt).where(
            text(QUEUED), AgentSession.hold_reason.is_(None), AgentSession.pushed_at < before
        )
        if after is not None:
            query = query.where(tuple_(*_PLACE) > after)
        with self._database.read_rows() as connection:
            return connection.execute(query.order_by(*_PLACE).limit(PAGE_SIZE)).all()

    def _push(self, session_ids: list[str], now: datetime) -> None:
        outbox = Outbox()
        still_waiting = (
            AgentSession.id.in_(session_ids),
            AgentSession.status == SessionStatus.QUEUED,
            AgentSession.hold_reason.is_(None),
            AgentSession.pushed_at < now - PUSH_AGAIN_AFTER,
        )
        query = select(AgentSession).where(*still_waiting).order_by(AgentSession.priority_rank)
        with self._database.begin() as db:
            for session in db.scalars(query.with_for_update(skip_locked=True)):
                outbox.jobs.append(next_push(session, now=now))
        logger.warning("Pushed %d sessions again that were on no queue.", len(outbox.jobs))
        outbox.deliver(self._redis)

    def _publish_again(self, now: datetime) -> None:
        """Publish lifecycle events that were committed but, it may be, never told."""
        until = now - PUBLISH_AGAIN_AFTER
        since = self._published_until or until - timedelta(minutes=1)
        query = (
            select(SessionEvent)
            .where(
                SessionEvent.event.is_not(None),
                # A transaction may commit a little after the instant it wrote.
                SessionEvent.created_at > since - timedelta(seconds=5),
                SessionEvent.created_at <= until,
            )
            .order_by(SessionEvent.id)
        )
        with self._database.read() as db:
            events = [event_of(row) for row in db.scalars(query)]
        if events:
            publish(self._redis, events)
        self._published_until = until


@dataclass(frozen=True, slots=True)
class _Lost:
    """An attempt whose end the lifeline writes."""

    session_id: str
    attempt: int
    token: str


def _is_any_held(db: Session) -> bool:
    held = exists().where(AgentSession.finished_at.is_(None), AgentSession.hold_reason.is_not(None))
    return bool(db.scalar(select(held)))


def _schedules_with_held(db: Session) -> list[str | None]:
    held = AgentSession.hold_reason.is_not(None), AgentSession.hold_reason != HoldReason.SLOT
    query = select(AgentSession.schedule_id).where(AgentSession.finished_at.is_(None), *held)
    return list(db.scalars(query.distinct().limit(PAGE_SIZE)))
