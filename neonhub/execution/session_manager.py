"""Sessions as people ask for them: run now, read, stop, retry."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.domain.states import RETRYABLE, HoldReason, Overlap, Priority, SessionStatus, Trigger
from neonhub.errors import (
    AgentNotFound,
    InvalidInput,
    SessionNotFound,
    SessionNotRetryable,
)
from neonhub.execution.endings import lock_session
from neonhub.execution.holds import has_active, next_push
from neonhub.execution.limits import require_input_fits, require_room
from neonhub.execution.new_session import log_queued, new_session
from neonhub.execution.outbox import Outbox
from neonhub.execution.session_history import SessionRow, Wanted, read_page
from neonhub.execution.stops import stop
from neonhub.faults import reach
from neonhub.models import Agent, AgentSession, IdempotencyKey, Schedule, SessionEvent
from neonhub.models.finding import find_agent, find_agent_key
from neonhub.models.page import Page

IDEMPOTENCY_HOURS = 24


class SessionManager:
    """Makes, reads, stops and retries sessions; the database decides, Redis is told after."""

    def __init__(
        self, database: Database, redis: Redis, *, max_retries: int = 3, clock: Clock = utcnow
    ) -> None:
        """
        Args:
            max_retries: Retries of a session that belongs to no schedule.
        """
        self._database = database
        self._redis = redis
        self._max_retries = max_retries
        self._clock = clock

    def run_now(
        self,
        agent_id: str,
        *,
        input: Mapping[str, Any] | None = None,
        priority: Priority = Priority.NORMAL,
        idempotency_key: str | None = None,
    ) -> AgentSession:
        """Queue a session that belongs to no schedule.

        Args:
            input: Overlays the agent's config; empty by default.
            idempotency_key: Within 24 hours a repeat with the same input and priority answers the
                first session.

        Raises:
            AgentNotFound: No agent has this id.
            InvalidInput: The key was used with another body, or the input is too large.
            QueueFull: As many sessions of the agent wait as are allowed.
        """
        body_hash = _hash(input or {}, priority)
        try:
            return self._run_now(agent_id, dict(input or {}), priority, idempotency_key, body_hash)
        except IntegrityError:
            # The same key was stored between our look and our insert: now it is there to see.
            return self._run_now(agent_id, dict(input or {}), priority, idempotency_key, body_hash)

    def _run_now(
        self,
        agent_id: str,
        input: dict[str, Any],
        priority: Priority,
        key: str | None,
        body_hash: str,
    ) -> AgentSession:
        outbox, now = Outbox(), self._clock()
        with self._database.begin() as db:
            agent = find_agent(db, agent_id)
            if key is not None and (known := _known(db, agent, key, body_hash, now)):
                return known
            require_input_fits(db, input)
            require_room(db, agent)
            session = new_session(
                agent,
                trigger=Trigger.MANUAL,
                input=input,
                priority=priority,
                max_retries=self._max_retries,
                now=now,
            )
            db.add(session)
            if key is not None:
                db.flush()
                db.add(_remember(agent, key, body_hash, session, now))
            outbox.jobs.append(next_push(session, now=now))
        reach("web.session-committed")
        log_queued(session)
        outbox.deliver(self._redis)
        return session

    def get(self, session_id: str) -> AgentSession:
        """Read a session.

        Raises:
            SessionNotFound: No session has this id.
        """
        with self._database.read() as db:
            return _found(db.get(AgentSession, session_id), session_id)

    def list_for_agent(
        self,
        agent_id: str,
        *,
        status: SessionStatus | None = None,
        trigger: Trigger | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page: int = 1,
        page_size: int = 50,
    ) -> Page[SessionRow]:
        """An agent's sessions, newest first, as rows: objects would take three times as long.

        Args:
            since: Only those queued at or after this instant.
            until: Only those queued before this instant.
            page_size: 1 to 100.

        Raises:
            AgentNotFound: No agent has this id.
        """
        with self._database.read_rows() as connection:
            wanted = Wanted(agent_id, status, trigger, since, until)
            found = read_page(connection, wanted, page=page, page_size=page_size)
            if not found.items:
                find_agent_key(connection, agent_id)  # or says that there is no such agent
        return found

    def events(self, session_id: str, *, page: int = 1, page_size: int = 50) -> Page[SessionEvent]:
        """A session's log, oldest first.

        Raises:
            SessionNotFound: No session has this id.
        """
        with self._database.read() as db:
            _found(db.get(AgentSession, session_id), session_id)
            mine = SessionEvent.session_id == session_id
            total = db.scalar(select(func.count()).select_from(SessionEvent).where(mine)) or 0
            query = select(SessionEvent).where(mine).order_by(SessionEvent.id)
            items = db.scalars(query.limit(page_size).offset((page - 1) * page_size)).all()
            return Page(items, page=page, page_size=page_size, total=total)

    def stop(self, session_id: str, *, reason: str | None = None) -> AgentSession:
        """Stop a session; one that runs is asked, and killed after the stop grace.

        Raises:
            SessionNotFound: No session has this id.
            SessionEnded: It has ended already.
        """
        outbox = Outbox()
        with self._database.begin() as db:
            session = _found(lock_session(db, session_id), session_id)
            stop(db, session, outbox, reason=reason, now=self._clock())
        outbox.deliver(self._redis)
        return session

    def retry(self, session_id: str) -> AgentSession:
        """Queue a new session with the input of one that failed or was stopped.

        Raises:
            SessionNotFound: No session has this id.
            SessionNotRetryable: It is neither `FAILED` nor `STOPPED`.
            AgentNotFound: Its agent was deleted.
            QueueFull: As many sessions of its agent wait as are allowed.
        """
        outbox, now = Outbox(), self._clock()
        with self._database.begin() as db:
            old = _found(db.get(AgentSession, session_id), session_id)
            if old.status not in RETRYABLE:
                raise SessionNotRetryable(
                    f"Session {old.id} is {old.status}; only FAILED and STOPPED can be retried."
                )
            agent = db.get_one(Agent, old.agent_key)
            if agent.deleted_at is not None:
                raise AgentNotFound(f"The agent of session {old.id} was deleted.")
            require_room(db, agent)
            session = new_session(
                agent,
                trigger=Trigger.RETRY,
                input=old.input,
                priority=Priority(old.priority),
                max_retries=old.max_retries,
                schedule_id=old.schedule_id,
                timeout_seconds=old.timeout_seconds,
                now=now,
            )
            session.retry_of = old.id
            if _must_wait(db, old.schedule_id):
                session.hold_reason = HoldReason.OVERLAP
            else:
                outbox.jobs.append(next_push(session, now=now))
            db.add(session)
        log_queued(session)
        outbox.deliver(self._redis)
        return session


def _must_wait(db: Session, schedule_id: str | None) -> bool:
    """Whether a schedule's policy keeps a new session of it waiting; locks the schedule."""
    if schedule_id is None:
        return False
    schedule = db.get_one(Schedule, schedule_id, with_for_update={"of": Schedule})
    return schedule.overlap != Overlap.ALLOW and has_active(db, schedule_id)


def _found(session: AgentSession | None, session_id: str) -> AgentSession:
    if session is None:
        raise SessionNotFound(f"No session has the id {session_id!r}.")
    return session


def _hash(input: Mapping[str, Any], priority: Priority) -> str:
    body = json.dumps([dict(input), priority], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def _known(
    db: Session, agent: Agent, key: str, body_hash: str, now: datetime
) -> AgentSession | None:
    kept = now - timedelta(hours=IDEMPOTENCY_HOURS)
    db.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < kept))
    first = db.get(IdempotencyKey, (agent.key, key))
    if first is None:
        return None
    if first.body_hash != body_hash:
        sentence = f"{key!r} was used with another body; use a fresh key for a different request."
        raise InvalidInput({"Idempotency-Key": [sentence]})
    return db.get_one(AgentSession, first.session_id)


def _remember(
    agent: Agent, key: str, body_hash: str, session: AgentSession, now: datetime
) -> IdempotencyKey:
    return IdempotencyKey(
        agent_key=agent.key, key=key, body_hash=body_hash, session_id=session.id, created_at=now
    )
