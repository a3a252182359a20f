"""Starting a failed session again when its time has come."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from neonhub.domain.states import Priority, SessionStatus
from neonhub.models import AgentSession
from neonhub.redis.queues import Job


def queue_due_retries(db: Session, session_ids: Collection[str], now: datetime) -> list[Job]:
    """Queue the next attempt of those sessions whose wait is over.

    A session that another transaction is just changing is left out; its timer comes due again.

    Args:
        session_ids: Candidates; any that are not retrying, or not yet, are left alone.
        now: Timezone-aware instant that decides what is due.

    Returns:
        Their jobs, most urgent first, to be handed over after the commit.
    """
    due = (
        select(AgentSession.id)
        .where(
            AgentSession.id.in_(session_ids),
            AgentSession.status == SessionStatus.RETRYING,
            AgentSession.next_attempt_at <= now,
        )
        .order_by(AgentSession.id)
        .with_for_update(skip_locked=True)
    )
    locked = db.scalars(due).all()
    if not locked:
        return []
    queued = (
        update(AgentSession)
        .where(AgentSession.id.in_(locked))
        .values(
            status=SessionStatus.QUEUED,
            attempt=AgentSession.attempt + 1,
            next_attempt_at=None,
            pushes=AgentSession.pushes + 1,
            pushed_at=now,
        )
        .returning(
            AgentSession.id,
            AgentSession.attempt,
            AgentSession.pushes,
            AgentSession.priority,
            AgentSession.queued_at,
        )
    )
    rows = db.execute(queued, execution_options={"synchronize_session": False}).all()
    ordered = sorted(rows, key=lambda row: (Priority(row.priority).rank, row.queued_at, row.id))
    return [Job(row.id, row.attempt, row.pushes, Priority(row.priority).queue) for row in ordered]


def retry_instants(db: Session, session_ids: Collection[str]) -> dict[str, datetime]:
    """When the next attempt of each session starts; those that are not retrying are missing."""
    query = select(AgentSession.id, AgentSession.next_attempt_at).where(
        AgentSession.id.in_(session_ids), AgentSession.next_attempt_at.is_not(None)
    )
    return {row.id: row.next_attempt_at for row in db.execute(query)}
