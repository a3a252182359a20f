"""The permits that bound how many agents run at once, and who gets the next one.

A slot is free, reserved for a session that was held, or taken by a running one. Whoever frees a
slot hands it to the most urgent held session in the same transaction, so a free slot means that
nobody is held for one, and no newcomer overtakes a more urgent session. If nobody is held, it may
pass at once to a session that begins in that transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import zip_longest
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from neonhub.database import changed_rows, connection_of
from neonhub.domain.states import HoldReason
from neonhub.execution.holds import release
from neonhub.models import AgentSession, Fleet, Slot
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.redis.queues import Job
from neonhub.statements import Query, run


def take_slots(
    db: Session, session_ids: Sequence[str], *, reserved: Collection[str], now: datetime
) -> set[str]:
    """Take the slots reserved for sessions, and free ones for the others, as far as they go.

    Args:
        session_ids: Who wants a slot, first come first.
        reserved: Those of them that have one reserved, as far as is known.

    Returns:
        Whose slot it is now; for the others every slot is taken or reserved.
    """
    taken = _take_reserved(db, reserved) if reserved else set()
    wanted = [session_id for session_id in session_ids if session_id not in taken]
    return taken | _take_free(db, wanted, now) if wanted else taken


def free_slots(db: Session, session_ids: Sequence[str], *, now: datetime) -> list[Job]:
    """Give back the slots of sessions, and hand them to the most urgent held ones.

    Returns:
        The jobs of the sessions released, to be handed over after the commit.
    """
    connection, is_sqlite = connection_of(db)
    given_back = run(connection, *give_back(session_ids, is_sqlite=is_sqlite))
    return assign_free_slots(db, now=now) if keep_allowed(db, given_back) else []


def give_back(session_ids: Sequence[str], *, heirs: Sequence[str] = (), is_sqlite: bool) -> Query:
    """What frees the slots of sessions, those that have one; `keep_allowed` is to follow.

    Args:
        heirs: Sessions that begin just now and want a slot: the slot of each ended session is
            theirs at once, unless somebody is held for one or there are too many.
    """
    pairs = zip_longest(session_ids, heirs[: len(session_ids)])
    return _free(is_sqlite), _ENDING.values(pairs, is_sqlite=is_sqlite)


def inherited(given_back: Sequence[Any]) -> set[str]:
    """The heirs that have a slot now, by the rows of `give_back`."""
    return {row.session_id for row in given_back if row.session_id is not None}


def keep_allowed(db: Session, given_back: Sequence[Any]) -> bool:
    """Remove those slots just freed that are beyond what the fleet allows.

    Args:
        given_back: The rows of `give_back`.

    Returns:
        Whether any is free now.
    """
    freed = [row for row in given_back if row.session_id is None]
    if any(row.is_surplus for row in freed):
        return _remove_surplus(db, [row.number for row in freed])
    return bool(freed)


def assign_free_slots(db: Session, *, now: datetime) -> list[Job]:
    """Reserve free slots for held sessions, most urgent first, for as long as both last.

    Returns:
        The jobs of the sessions released, to be handed over after the commit.
    """
    connection, is_sqlite = connection_of(db)
    free = connection.execute(_LOCK_FREE_FOR_HELD, {"now": now}).all()
    if not free:
        return []
    held = db.scalars(_LOCK_MOST_URGENT, {"count": len(free)}).all()
    pairs = [(row.number, session.id) for row, session in zip(free, held, strict=False)]
    given = _NUMBERED.values(pairs, is_sqlite=is_sqlite)
    reserved_until = now + timedelta(milliseconds=free[0].lease_ms)
    connection.execute(_reserve(is_sqlite), {**given, "reserved_until": reserved_until})
    jobs = [release(session, now=now) for session in held]
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


_SESSIONS = GivenTable("reserving", session_id=str)
_ENDING = GivenTable("ending", session_id=str, heir_id=str)
_NUMBERED = GivenTable("given", number=int, session_id=str)
_NOW = bindparam("now", type_=UtcDateTime())
_IS_FREE = or_(Slot.session_id.is_(None), Slot.reserved_until < _NOW)


def _take_reserved(db: Session, session_ids: Collection[str]) -> set[str]:
    connection, is_sqlite = connection_of(db)
    rows = _SESSIONS.values([(each,) for each in session_ids], is_sqlite=is_sqlite)
    return {row.session_id for row in run(connection, _take_own(is_sqlite), rows)}


def _take_free(db: Session, session_ids: Sequence[str], now: datetime) -> set[str]:
    connection, is_sqlite = connection_of(db)
    given = _NUMBERED.values(enumerate(session_ids, 1), is_sqlite=is_sqlite)
    values = {**given, "now": now, "count": len(session_ids)}
    return {row.session_id for row in run(connection, _take(is_sqlite), values)}


@cache
def _take_own(is_sqlite: bool) -> Executable:
    given = _SESSIONS.on(is_sqlite=is_sqlite)
    mine = _SESSIONS.finds(Slot.session_id, "session_id", given=given, is_sqlite=is_sqlite)
    return update(Slot).where(mine).values(reserved_until=None).returning(Slot.session_id)


@cache
def _take(is_sqlite: bool) -> Executable:
    """The n-th free slot goes to the n-th who wants one; a slot that others just take is passed."""
    wanted = _NUMBERED.on(is_sqlite=is_sqlite)
    free = (
        select(Slot.number)
        .where(_IS_FREE)
        .order_by(Slot.number)
        .limit(bindparam("count"))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    nth = select(free.c.number, func.row_number().over(order_by=free.c.number).label("n")).cte(
        "nth"
    )
    return (
        update(Slot)
        .where(Slot.number == nth.c.number, nth.c.n == wanted.c.number)
        .values(session_id=wanted.c.session_id, reserved_until=None)
        .returning(Slot.session_id)
    )


@cache
def _free(is_sqlite: bool) -> Executable:
    given = _ENDING.on(is_sqlite=is_sqlite)
    mine = _ENDING.finds(Slot.session_id, "session_id", given=given, is_sqlite=is_sqlite)
    is_surplus = _COUNT > _ALLOWED
    is_free_for_all = is_surplus | IS_SLOT_WANTED
    return (
        update(Slot)
        .where(mine)
        .values(session_id=case((is_free_for_all, null()), else_=given.c.heir_id))
        .values(reserved_until=None)
        .returning(Slot.number, Slot.session_id, is_surplus.label("is_surplus"))
    )


@cache
def _reserve(is_sqlite: bool) -> Executable:
    given = _NUMBERED.on(is_sqlite=is_sqlite)
    values = {
        "session_id": given.c.session_id,
        "reserved_until": bindparam("reserved_until", type_=UtcDateTime()),
    }
    return update(Slot).where(Slot.number == given.c.number).values(values)


_OTHER = aliased(Slot)
_COUNT = select(func.count(_OTHER.number)).scalar_subquery()
_ALLOWED = select(Fleet.max_concurrent).scalar_subquery()


def _is_held(session: Any) -> ColumnElement[bool]:
    """Spelled out as the partial index of those held for a slot has it."""
    held: ColumnElement[bool] = session.hold_reason == literal_column(f"'{HoldReason.SLOT}'")
    return held


IS_SLOT_WANTED = exists().where(_is_held(aliased(AgentSession)))
"""That any session is held for one, also in a statement about other sessions."""

_HELD = select(func.count(AgentSession.id)).where(_is_held(AgentSession)).scalar_subquery()
_LOCK_FREE_FOR_HELD = (
    # No more than there are held: whoever comes now must not find a slot locked for nobody.
    select(Slot.number, select(Fleet.lease_ms).scalar_subquery().label("lease_ms"))
    .where(_IS_FREE)
    .order_by(Slot.number)
    .limit(_HELD)
    .with_for_update(skip_locked=True)
)
_LOCK_MOST_URGENT = (
    select(AgentSession)
    .where(_is_held(AgentSession))
    .order_by(AgentSession.priority_rank, AgentSession.queued_at, AgentSession.id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)


def _remove_surplus(db: Session, numbers: Sequence[int]) -> bool:
    """Remove what is too many of slots just freed; whoever else does so waits for us."""
    allowed = db.scalars(select(Fleet.max_concurrent).with_for_update()).one()
    count = db.scalars(select(func.count(Slot.number))).one()
    surplus = sorted(numbers, reverse=True)[: max(0, count - allowed)]
    changed_rows(db, delete(Slot).where(Slot.number.in_(surplus)))
    return len(surplus) < len(numbers)
