"""What a transaction promises to tell: jobs, timers and events that go out after its commit."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from neonhub.events import Event, publish
from neonhub.models import AgentSession, SessionEvent
from neonhub.redis.counters import EndedSession, count_ended
from neonhub.redis.queues import Job, TimerMove, hand_over

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Outbox:
    """Collected inside a transaction, delivered after it."""

    jobs: list[Job] = field(default_factory=list)
    moves: list[TimerMove] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ended: list[EndedSession] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    """Keys to set for a while, such as the flag a running session looks for."""

    def tell(
        self,
        db: Session,
        session: AgentSession,
        event: str,
        data: Mapping[str, Any],
        *,
        now: datetime,
        message: str = "",
        level: str = "info",
    ) -> None:
        """Write a lifecycle event into the session's log, and remember to publish it."""
        about = {
            "session_id": session.id,
            "agent_id": session.agent_id,
            "schedule_id": session.schedule_id,
            "attempt": session.attempt,
        }
        self._write(db, event, data, now, message, level, about)

    def tell_all(
        self,
        db: Session,
        event: str,
        data: Mapping[str, Any],
        *,
        now: datetime,
        message: str = "",
    ) -> None:
        """Write an event that belongs to no session, and remember to publish it."""
        self._write(db, event, data, now, message, "info", {})

    def _write(
        self,
        db: Session,
        event: str,
        data: Mapping[str, Any],
        now: datetime,
        message: str,
        level: str,
        about: Mapping[str, Any],
    ) -> None:
        row = SessionEvent(
            event=event,
            type=event,
            level=level,
            message=message,
            data=dict(data),
            created_at=now,
            **about,
        )
        db.add(row)
        db.flush()
        self.events.append(event_of(row))

    def deliver(self, redis: Redis) -> None:
        """Log and send everything; what Redis doesn't take now, the lifeline sends later."""
        for event in self.events:
            _log(event)
        try:
            for key in self.signals:
                redis.set(key, b"1", ex=SIGNAL_SECONDS)
            if self.jobs or self.moves:
                hand_over(redis, self.jobs, self.moves)
            if self.events:
                publish(redis, self.events)
            if self.ended:
                count_ended(redis, self.ended)
        except RedisError as error:
            logger.warning("Redis is away, the lifeline will deliver later: %s", error)


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
