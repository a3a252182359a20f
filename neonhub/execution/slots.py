"""The permits that bound how many agents run at once, and who gets the next one.

A slot is free, reserved for a session that was held, or taken by a running one. Whoever frees a
slot hands it to the most urgent held session in the same transaction, so a free slot means that
nobody is held for one, and no newcomer overtakes a more urgent session.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from neonhub.database import changed_rows
from neonhub.domain.states import HoldReason, SessionStatus
from neonhub.execution.holds import release
from neonhub.models import AgentSession, Fleet, Slot
from neonhub.redis.queues import Job


def take_slot(db: Session, session_id: str, *, now: datetime) -> bool:
    """Take the slot reserved for a session, or a free one.

    Returns:
        False if every slot is taken or reserved for others.
    """
    reserved = update(Slot).where(Slot.session_id == session_id).values(reserved_until=None)
    if changed_rows(db, reserved):
        return True
    number = _lock_free_slot(db, now)
    if number is None:
        return False
    db.execute(
        update(Slot).where(Slot.number == number).values(session_id=session_id, reserved_until=None)
    )
    return True


def free_slot(db: Session, session_id: str, *, now: datetime) -> list[Job]:
    """Give back a session's slot, if it has one, and hand it to the most urgent held session.

    Returns:
        The jobs of the sessions released, to be handed over after the commit.
    """
    allowed = select(Fleet.max_concurrent).scalar_subquery()
    mine = Slot.session_id == session_id
    surplus = delete(Slot).where(mine, select(func.count(Slot.number)).scalar_subquery() > allowed)
    freed = update(Slot).where(mine).values(session_id=None, reserved_until=None)
    if changed_rows(db, surplus) or not changed_rows(db, freed):
        return []
    return assign_free_slots(db, now=now)


def assign_free_slots(db: Session, *, now: datetime) -> list[Job]:
    """Reserve free slots for held sessions, most urgent first, for as long as both last.

    Returns:
        The jobs of the sessions released, to be handed over after the commit.
    """
    jobs: list[Job] = []
    while (held := _lock_most_urgent(db)) is not None:
        number = _lock_free_slot(db, now)
        if number is None:
            break
        lease = timedelta(milliseconds=db.scalars(select(Fleet.lease_ms)).one())
        db.execute(
            update(Slot)
            .where(Slot.number == number)
            .values(session_id=held.id, reserved_until=now + lease)
        )
        jobs.append(release(held, now=now))
        db.flush()
    return jobs


def fit_slots(db: Session) -> None:
    """Make as many slots as the fleet allows; surplus ones go now if free, else when freed."""
    wanted = db.scalars(select(Fleet.max_concurrent).with_for_update()).one()
    numbers = set(db.scalars(select(Slot.number)))
    missing = [n for n in range(1, wanted + len(numbers) + 1) if n not in numbers]
    for number in missing[: max(0, wanted - len(numbers))]:
        db.execute(insert(Slot).values(number=number))
    surplus = max(0, len(numbers) - wanted)
    free = select(Slot.number).where(Slot.session_id.is_(None)).order_by(Slot.number.desc())
    spare = list(db.scalars(free.limit(surplus))) if surplus else []
    db.execute(delete(Slot).where(Slot.number.in_(spare), Slot.session_id.is_(None)))


def _lock_free_slot(db: Session, now: datetime) -> int | None:
    free = or_(Slot.session_id.is_(None), Slot.reserved_until < now)
    query = select(Slot.number).where(free).order_by(Slot.number).limit(1)
    return db.scalars(query.with_for_update(skip_locked=True)).one_or_none()


def _lock_most_urgent(db: Session) -> AgentSession | None:
    # `status` is spelled out so that the partial index of waiting sessions serves the order.
    waiting = text(f"status = '{SessionStatus.QUEUED}'")
    query = (
        select(AgentSession)
        .where(waiting, AgentSession.hold_reason == HoldReason.SLOT)
        .order_by(AgentSession.priority_rank, AgentSession.queued_at, AgentSession.id)
        .limit(1)
    )
    return db.scalars(query.with_for_update(skip_locked=True)).one_or_none()
