"""What a transaction promises to tell: jobs, timers and events that go out after its commit."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Executable, bindparam, insert, select
from sqlalchemy.orm import Session

from neonhub.clock import utcnow
from neonhub.database import connection_of
from neonhub.events import Event
from neonhub.events.publish import add_publish
from neonhub.models import SessionEvent
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.redis.counters import EndedSession, add_counts
from neonhub.redis.jobs_ahead import JobsAhead
from neonhub.redis.queues import Job, TimerMove, add_hand_over
from neonhub.redis.round_trip import RoundTrip
from neonhub.statements import Query, run_all

logger = logging.getLogger(__name__)


class About(Protocol):
    """The session an event is about."""

    @property
    def id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def schedule_id(self) -> str | None: ...
    @property
    def attempt(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Told:
    """A lifecycle event to write into the log and to publish."""

    event: str
    data: Mapping[str, Any]
    message: str = ""
    level: str = "info"
    about: About | None = None  # None: it belongs to no session


@dataclass(slots=True)
class Outbox:
    """Collected inside a transaction, delivered after it."""

    jobs: list[Job] = field(default_factory=list)
    ahead: JobsAhead | None = None
    """Jobs and moves besides, written while the transaction was under way."""
    moves: list[TimerMove] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ended: list[EndedSession] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    """Keys to set for a while, such as the flag a running session looks for."""
    held: list[str] = field(default_factory=list)
    """Sessions just held for a slot: to be looked at once more after the commit."""

    def tell(
        self, db: Session, told: Sequence[Told], *, now: datetime, after: Sequence[Query] = ()
    ) -> None:
        """Write lifecycle events into the log, in this order, and remember to publish them.

        Args:
            after: What is to be run first, in the same round trip.
        """
        connection, is_sqlite = connection_of(db)
        *_, written = run_all(connection, [*after, _log_of(told, now, is_sqlite)])
        # Ids are given in the order of insertion, but may be returned in another.
        ids = sorted(row.id for row in written)
        self.events += [_event(*each, now) for each in zip(told, ids, strict=True)]

    def deliver(self, redis: Redis) -> None:
        """Log everything and send it in one round trip, what runs before what is only told.

        What Redis doesn't take now, the lifeline sends later.
        """
        for event in self.events:
            _log(event)
        trip = RoundTrip()
        for key in self.signals:
            trip.command("SET", key, b"1", "EX", SIGNAL_SECONDS)
        self._add_hand_over(trip)
        add_publish(trip, self.events)
        add_counts(trip, self.ended)
        try:
            trip.send(redis)
        except RedisError as error:
            logger.warning("Redis is away, the lifeline will deliver later: %s", error)

    def _add_hand_over(self, trip: RoundTrip) -> None:
        jobs, moves, batch = self.jobs, self.moves, None
        if self.ahead is not None:
            more_jobs, more_moves = self.ahead.unwritten()
            jobs, moves, batch = [*more_jobs, *jobs], [*more_moves, *moves], self.ahead.batch
        add_hand_over(trip, jobs, moves, now=utcnow(), batch=batch)


def _log_of(told: Sequence[Told], now: datetime, is_sqlite: bool) -> Query | None:
    """What writes lifecycle events into the log, and returns the id of each."""
    if not told:
        return None
    rows = [
        (n, *_ids(each.about), each.event, each.level, each.message, dict(each.data))
        for n, each in enumerate(told)
    ]
    values = _TOLD.values(rows, is_sqlite=is_sqlite)
    return _insert_events(is_sqlite), {**values, "now": now}


_TOLD = GivenTable(
    "told",
    n=int,
    session_id=str,
    agent_id=str,
    schedule_id=str,
    attempt=int,
    event=str,
    level=str,
    message=str,
    data=dict,
)


@cache
def _insert_events(is_sqlite: bool) -> Executable:
    told = _TOLD.on(is_sqlite=is_sqlite)
    values = {
        **{column.name: column for column in told.c if column.name != "n"},
        "type": told.c.event,
        "created_at": bindparam("now", type_=UtcDateTime()),
    }
    return (
        insert(SessionEvent)
        .from_select(list(values), select(*values.values()).order_by(told.c.n))
        .returning(SessionEvent.id)
    )


def _ids(about: About | None) -> tuple[str | None, str | None, str | None, int | None]:
    if about is None:
        return None, None, None, None
    return about.id, about.agent_id, about.schedule_id, about.attempt


def _event(told: Told, row_id: int, now: datetime) -> Event:
    session_id, agent_id, schedule_id, _ = _ids(told.about)
    return Event(told.event, agent_id, session_id, schedule_id, now, told.data, str(row_id))


SIGNAL_SECONDS = 3600
"""How long a stop flag stays; the database holds the request itself for good."""


def _log(event: Event) -> None:
    """One line for each change of state, with its ids."""
    ids = known_ids(event.agent_id, event.session_id, event.schedule_id)
    facts = {name: event.data[name] for name in _LOGGED if event.data.get(name) is not None}
    logger.info("%s", event.event, extra={**ids, **facts})


def known_ids(
    agent_id: str | None, session_id: str | None, schedule_id: str | None
) -> dict[str, str]:
    """The ids that a log line names: those there are."""
    ids = {"agent_id": agent_id, "session_id": session_id, "schedule_id": schedule_id}
    return {name: value for name, value in ids.items() if value is not None}


_LOGGED = ("status", "reason", "attempt", "worker", "durationMs", "nextAttemptAt", "paused")


def event_of(row: SessionEvent) -> Event:
    """The event to publish for a row of the log that is a lifecycle event."""
    return Event(
        event=str(row.event),
        agent_id=row.agent_id,
        session_id=row.session_id,
        schedule_id=row.schedule_id,
        timestamp=row.created_at,
        data=row.data,
        row_id=str(row.id),
    )
