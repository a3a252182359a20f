"""Sessions that are decided but may not start yet."""

from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from neonhub.domain.states import HoldReason, Priority
from neonhub.models import AgentSession
from neonhub.redis.queues import Job

OF_SCHEDULE = (HoldReason.OVERLAP, HoldReason.CATCH_UP, HoldReason.BACKFILL)
"""What holds a session until its schedule's active one has ended."""


def next_push(session: AgentSession, *, now: datetime) -> Job:
    """A fresh job for a queued session; each push has an id of its own."""
    session.pushes += 1
    session.pushed_at = now
    queue = Priority(session.priority).queue
    return Job(session_id=session.id, attempt=session.attempt, push=session.pushes, queue=queue)


def release(session: AgentSession, *, now: datetime) -> Job:
    """Let a held session start; the job is to be handed over after the commit."""
    session.hold_reason = None
    return next_push(session, now=now)


def release_of_schedule(db: Session, schedule_id: str | None, *, now: datetime) -> list[Job]:
    """Release the oldest held session of a schedule that has no active one left.

    Live and caught-up ticks go before backfilled ones.

    Returns:
        Its job, or nothing where one is active or none is held.
    """
    if schedule_id is None:
        return []
    db.flush()
    if has_active(db, schedule_id):
        return []
    query = (
        select(AgentSession)
        .where(
            AgentSession.schedule_id == schedule_id,
            AgentSession.finished_at.is_(None),
            AgentSession.hold_reason.in_(OF_SCHEDULE),
        )
        .order_by(
            AgentSession.hold_reason == HoldReason.BACKFILL,
            AgentSession.scheduled_for,
            AgentSession.id,
        )
        .limit(1)
    )
    session = db.scalars(query.with_for_update(skip_locked=True)).one_or_none()
    return [release(session, now=now)] if session else []


def has_active(db: Session, schedule_id: str) -> bool:
    """Whether a session of the schedule runs, will retry, or waits for nothing but a worker."""
    hold = AgentSession.hold_reason
    active = exists().where(
        AgentSession.schedule_id == schedule_id,
        AgentSession.finished_at.is_(None),
        or_(hold.is_(None), hold.not_in(OF_SCHEDULE)),
    )
    return bool(db.scalar(select(active)))
