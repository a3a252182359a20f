"""Running a schedule now, by a person's wish and the schedule's overlap policy."""

from datetime import datetime

from redis import Redis
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.states import HoldReason, Overlap, Priority, Trigger
from neonhub.errors import Conflict
from neonhub.execution.holds import next_push, release_of_schedule
from neonhub.execution.limits import require_room
from neonhub.execution.new_session import log_queued, new_session
from neonhub.execution.outbox import Outbox
from neonhub.models import AgentSession, Schedule
from neonhub.models.finding import find_schedule
from neonhub.scheduling.replacing import stop_replaced


def run_schedule(
    database: Database, redis: Redis, schedule_id: str, *, now: datetime
) -> AgentSession:
    """Queue a session of a schedule now, with the schedule's input, priority and limits.

    Its ticks go on as they are; a paused or disabled schedule runs as well.

    Raises:
        ScheduleNotFound: No schedule has this id.
        Conflict: Its overlap policy refuses another session at present.
        QueueFull: As many sessions of its agent wait as are allowed.
    """
    outbox = Outbox()
    with database.begin() as db:
        schedule = find_schedule(db, schedule_id, lock=True)
        require_room(db, schedule.agent)
        session = new_session(
            schedule.agent,
            trigger=Trigger.MANUAL,
            input=schedule.input,
            priority=Priority(schedule.priority),
            max_retries=schedule.max_retries,
            schedule_id=schedule.id,
            timeout_seconds=schedule.timeout_seconds,
            now=now,
        )
        if _must_wait(db, schedule, outbox, now):
            session.hold_reason = HoldReason.OVERLAP
            db.add(session)
            outbox.jobs += release_of_schedule(db, schedule.id, now=now)
        else:
            db.add(session)
            outbox.jobs.append(next_push(session, now=now))
    log_queued(session)
    outbox.deliver(redis)
    return session


def _must_wait(db: Session, schedule: Schedule, outbox: Outbox, now: datetime) -> bool:
    """Apply the overlap policy to one more session."""
    overlap = Overlap(schedule.overlap)
    active = _active(db, schedule.id)
    if not active or overlap is Overlap.ALLOW:
        return False
    if overlap is Overlap.REPLACE:
        stop_replaced(db, [schedule.id], outbox, now=now)
        return True
    first = active[0]
    if overlap is Overlap.SKIP:
        raise Conflict(
            f"Session {first.id} of this schedule is {first.status}, and its overlap is SKIP: "
            "wait until it has ended, or stop it."
        )
    if any(session.hold_reason == HoldReason.OVERLAP for session in active):
        raise Conflict(
            f"Session {first.id} of this schedule is {first.status} and one more waits already, "
            "which is all that its overlap, QUEUE_ONE, allows."
        )
    return True


def _active(db: Session, schedule_id: str) -> list[AgentSession]:
    """What counts for overlap: all that is not ended, backfill that waits left out."""
    hold = AgentSession.hold_reason
    query = select(AgentSession).where(
        AgentSession.schedule_id == schedule_id,
        AgentSession.finished_at.is_(None),
        or_(hold.is_(None), hold != HoldReason.BACKFILL),
    )
    return list(db.scalars(query.order_by(AgentSession.queued_at, AgentSession.id)))
