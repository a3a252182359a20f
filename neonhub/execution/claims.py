"""Taking a queued session: one worker gets it, every other one finds it taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.states import HoldReason, SessionStatus
from neonhub.execution.fleet import get_fleet
from neonhub.execution.outbox import Outbox
from neonhub.execution.slots import assign_free_slots, take_slot
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession, Attempt, Fleet


@dataclass(frozen=True, slots=True)
class Claim:
    """A session taken: what its agent needs, and the token that proves who may write its end."""

    session_id: str
    agent_id: str
    schedule_id: str | None
    attempt: int
    token: str
    kind: str
    config: dict[str, Any]  # the agent's own, overlaid with the session's input
    timeout_seconds: int
    max_retries: int
    lease_ms: int
    stop_grace_ms: int
    max_memory_bytes: int | None
    max_result_bytes: int
    max_log_lines: int
    max_log_line_bytes: int
    max_events_per_second: int


def claim(
    database: Database, session_id: str, *, attempt: int, worker: str, now: datetime
) -> tuple[Claim | None, Outbox]:
    """Take a queued session and a slot for one worker.

    Without a free slot the session is held, and whoever frees one releases it.

    Args:
        attempt: The start this job was made for; a job of an earlier start finds nothing.
        worker: The worker's name, kept with the attempt.
        now: Timezone-aware instant the lease starts at.

    Returns:
        The claim, or None if another worker got there first, the session may not start, or every
        slot is taken; and what to deliver after the commit.
    """
    outbox = Outbox()
    with database.begin() as db:
        session = _lock_startable(db, session_id, attempt)
        if session is None:
            return None, outbox
        if take_slot(db, session.id, now=now):
            return _start(db, session, worker, outbox, now), outbox
        session.hold_reason = HoldReason.SLOT
    # A slot may have been freed while this transaction was still invisible to whoever freed it.
    with database.begin() as db:
        outbox.jobs += assign_free_slots(db, now=now)
    return None, outbox


def _lock_startable(db: Session, session_id: str, attempt: int) -> AgentSession | None:
    query = select(AgentSession).where(
        AgentSession.id == session_id,
        AgentSession.status == SessionStatus.QUEUED,
        AgentSession.attempt == attempt,
        AgentSession.hold_reason.is_(None),
    )
    return db.scalars(query.with_for_update()).one_or_none()


def _start(db: Session, session: AgentSession, worker: str, outbox: Outbox, now: datetime) -> Claim:
    fleet = get_fleet(db)
    attempt = Attempt(
        session_id=session.id,
        number=session.attempt,
        token=new_id(),
        worker=worker,
        started_at=now,
        lease_until=now + timedelta(milliseconds=fleet.lease_ms),
    )
    db.add(attempt)
    session.status = SessionStatus.RUNNING
    session.started_at = session.started_at or now
    session.worker = worker
    session.progress = None
    session.progress_message = None
    data = {"attempt": session.attempt, "maxAttempts": session.max_attempts, "worker": worker}
    outbox.tell(
        db,
        session,
        "agent:started",
        {**data, "trigger": session.trigger, "priority": session.priority},
        now=now,
        message=_why_started(session),
    )
    return _claim_of(session, attempt, fleet, db.get_one(Agent, session.agent_key))


def _why_started(session: AgentSession) -> str:
    """Each start beyond the first is explained in the log."""
    if session.attempt == 1:
        return "started"
    why = {
        "failures": f"{session.failures} failed" if session.failures else "",
        "losses": f"{session.losses} lost with their worker" if session.losses else "",
    }
    known = ", ".join(part for part in why.values() if part) or "handed back by its worker"
    return f"started again: attempt {session.attempt}; of those before, {known}"


def _claim_of(session: AgentSession, attempt: Attempt, fleet: Fleet, agent: Agent) -> Claim:
    return Claim(
        session_id=session.id,
        agent_id=session.agent_id,
        schedule_id=session.schedule_id,
        attempt=attempt.number,
        token=attempt.token,
        kind=agent.kind,
        config={**agent.config, **session.input},
        timeout_seconds=session.timeout_seconds,
        max_retries=session.max_retries,
        lease_ms=fleet.lease_ms,
        stop_grace_ms=fleet.stop_grace_ms,
        max_memory_bytes=fleet.max_memory_bytes,
        max_result_bytes=fleet.max_result_bytes,
        max_log_lines=fleet.max_log_lines,
        max_log_line_bytes=fleet.max_log_line_bytes,
        max_events_per_second=fleet.max_events_per_second,
    )
