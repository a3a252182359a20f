"""Sessions that are decided but may not start yet."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, Select, exists, func, or_, select, text
from sqlalchemy.orm import Session

from neonhub.domain.states import HoldReason, Overlap, Priority, SessionStatus, Trigger
from neonhub.models import AgentSession, Fleet, Schedule
from neonhub.models.given_rows import GivenTable
from neonhub.redis.queues import Job
from neonhub.statements import Query

OF_SCHEDULE = (HoldReason.OVERLAP, HoldReason.CATCH_UP)
"""What holds a live session until its schedule's active one has ended."""


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


def holding(schedule_ids: Collection[str], *, is_sqlite: bool) -> Query | None:
    """What tells which of some schedules hold a session."""
    if not schedule_ids:
        return None
    return _holding(is_sqlite), _SCHEDULES.values(
        [(each,) for each in schedule_ids], is_sqlite=is_sqlite
    )


def release_of_schedules(db: Session, holders: Sequence[Any], *, now: datetime) -> list[Job]:
    """Release what each of some schedules holds, as `release_of_schedule` does for one.

    Args:
        holders: The rows of `holding`.

    Returns:
        The jobs, to be handed over after the commit.
    """
    # In an order, so that of two who release for the same schedules, none waits for ever.
    schedule_ids = sorted(row.schedule_id for row in holders)
    return [job for each in schedule_ids for job in release_of_schedule(db, each, now=now)]


_SCHEDULES = GivenTable("ended", schedule_id=str)
_RELEASED = (*OF_SCHEDULE, HoldReason.BACKFILL)


@cache
def _holding(is_sqlite: bool) -> Executable:
    ended = _SCHEDULES.on(is_sqlite=is_sqlite)
    held = exists().where(
        AgentSession.schedule_id == ended.c.schedule_id,
        AgentSession.finished_at.is_(None),
        or_(*(AgentSession.hold_reason == each.value for each in _RELEASED)),
    )
    return select(ended.c.schedule_id).where(held)


def release_of_schedule(db: Session, schedule_id: str | None, *, now: datetime) -> list[Job]:
    """Release what a schedule that has no active session left holds: a live one, or backfill.

    Returns:
        The jobs, to be handed over after the commit; none where one is active or none is held.
    """
    if schedule_id is None:
        return []
    db.flush()
    is_busy = has_active(db, schedule_id)
    if not is_busy and (live := _release_live(db, schedule_id, now)):
        return live
    return _release_backfill(db, schedule_id, is_busy, now)


def has_active(db: Session, schedule_id: str) -> bool:
    """Whether a session of the schedule runs, will retry, or waits for nothing but a worker."""
    hold = AgentSession.hold_reason
    active = exists().where(
        AgentSession.schedule_id == schedule_id,
        AgentSession.finished_at.is_(None),
        or_(hold.is_(None), hold == HoldReason.SLOT),
    )
    return bool(db.scalar(select(active)))


def _release_live(db: Session, schedule_id: str, now: datetime) -> list[Job]:
    oldest = _held(schedule_id, OF_SCHEDULE).limit(1)
    return [release(session, now=now) for session in db.scalars(oldest.with_for_update())]


def _release_backfill(db: Session, schedule_id: str, is_busy: bool, now: datetime) -> list[Job]:
    """Backfilled ticks start behind live work of their priority, and few at a time.

    One after another, or, where their schedule allows overlap, as many as there are slots.
    """
    first = db.scalars(_held(schedule_id, (HoldReason.BACKFILL,)).limit(1)).one_or_none()
    if first is None or _live_waits(db, first.priority_rank):
        return []
    room = 0 if is_busy else 1
    if db.get_one(Schedule, schedule_id).overlap == Overlap.ALLOW:
        allowed = db.scalars(select(Fleet.max_concurrent)).one()
        room = allowed - _handed_over(db, schedule_id)
    if room <= 0:
        return []
    oldest = _held(schedule_id, (HoldReason.BACKFILL,)).limit(room)
    return [release(session, now=now) for session in db.scalars(oldest.with_for_update())]


def _held(schedule_id: str, reasons: Sequence[HoldReason]) -> Select[AgentSession]:
    """A schedule's held sessions, oldest first.

    To be locked by waiting, not by skipping locked ones: of two who release at once, the second
    then finds that the first of them is taken, and takes no other.
    """
    return (
        select(AgentSession)
        .where(
            AgentSession.schedule_id == schedule_id,
            AgentSession.finished_at.is_(None),
            AgentSession.hold_reason.in_(reasons),
        )
        .order_by(AgentSession.scheduled_for, AgentSession.id)
    )


def _live_waits(db: Session, priority_rank: int) -> bool:
    hold = AgentSession.hold_reason
    live = exists().where(
        text(f"status = '{SessionStatus.QUEUED}'"),  # as the index of waiting ones has it
        AgentSession.priority_rank == priority_rank,
        AgentSession.trigger != Trigger.BACKFILL,
        or_(hold.is_(None), hold == HoldReason.SLOT),
    )
    return bool(db.scalar(select(live)))


def _handed_over(db: Session, schedule_id: str) -> int:
    hold = AgentSession.hold_reason
    query = select(func.count()).where(
        AgentSession.schedule_id == schedule_id,
        AgentSession.finished_at.is_(None),
        AgentSession.trigger == Trigger.BACKFILL,
        or_(hold.is_(None), hold == HoldReason.SLOT),
    )
    return db.scalar(query) or 0
