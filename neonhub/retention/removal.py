"""Removes rows, few in a transaction; of two who prune at once, each takes what the other left."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session

from neonhub.database import changed_rows
from neonhub.models import AgentSession, Attempt, IdempotencyKey, Schedule, SessionEvent
from neonhub.models.given_rows import given_rows

OF_NO_SESSION = (SessionEvent.session_id, SessionEvent.id)
"""The order in which the index has the events that belong to no session: oldest first."""


def remove_logs(db: Session, ids: Sequence[str], *, limit: int) -> tuple[int, int]:
    """Remove what belongs to ended sessions: their log, then their attempts.

    Returns:
        How many lines of logs and how many attempts; together `limit` if there may be more.
    """
    locked = list(db.scalars(_locked(ids)))
    lines = select(SessionEvent.id).where(SessionEvent.session_id.in_(locked)).limit(limit)
    removed = changed_rows(db, delete(SessionEvent).where(SessionEvent.id.in_(lines)))
    key = Attempt.session_id, Attempt.number
    attempts = select(*key).where(Attempt.session_id.in_(locked)).limit(limit - removed)
    return removed, changed_rows(db, delete(Attempt).where(tuple_(*key).in_(attempts)))


def remove_sessions(db: Session, ids: Sequence[str]) -> int:
    """Remove ended sessions of which nothing else is left, and note how far their schedules' go.

    Returns:
        How many were removed; what somebody else has locked, or added to, is left.
    """
    # Schedules before sessions, and in their order of priority, as whoever decides locks them.
    db.execute(_schedules_of(ids)).all()
    bare = (
        ~exists().where(SessionEvent.session_id == AgentSession.id),
        ~exists().where(Attempt.session_id == AgentSession.id),
        ~exists().where(IdempotencyKey.session_id == AgentSession.id),
    )
    rows = db.execute(
        _locked(ids).where(*bare).add_columns(AgentSession.schedule_id, AgentSession.tick_at)
    ).all()
    _note_pruned(db, [(schedule_id, tick_at) for _, schedule_id, tick_at in rows])
    gone = [row.id for row in rows]
    return changed_rows(db, delete(AgentSession).where(AgentSession.id.in_(gone)))


def remove_keys(db: Session, before: datetime, *, limit: int) -> int:
    """Remove idempotency keys seen before an instant."""
    key = IdempotencyKey.agent_key, IdempotencyKey.key
    expired = (
        select(*key)
        .where(IdempotencyKey.created_at < before)
        .order_by(IdempotencyKey.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = [tuple(row) for row in db.execute(expired)]
    return changed_rows(db, delete(IdempotencyKey).where(tuple_(*key).in_(found)))


def remove_events(db: Session, before: datetime, *, limit: int) -> int:
    """Remove events that belong to no session and were written before an instant."""
    found = list(db.scalars(oldest_events(before, limit).with_for_update(skip_locked=True)))
    return changed_rows(db, delete(SessionEvent).where(SessionEvent.id.in_(found)))


def oldest_events(before: datetime, limit: int) -> Select[int]:
    """Of the oldest events that belong to no session, those written before an instant."""
    of_none = select(SessionEvent.id).where(SessionEvent.session_id.is_(None))
    oldest = of_none.order_by(*OF_NO_SESSION).limit(limit)
    return select(SessionEvent.id).where(
        SessionEvent.id.in_(oldest), SessionEvent.created_at < before
    )


def _locked(ids: Sequence[str]) -> Select[str]:
    query = select(AgentSession.id).where(AgentSession.id.in_(ids)).order_by(AgentSession.id)
    return query.with_for_update(skip_locked=True, of=AgentSession)


def _schedules_of(ids: Sequence[str]) -> Select[str]:
    named = select(AgentSession.schedule_id).where(AgentSession.id.in_(ids))
    query = select(Schedule.id).where(Schedule.id.in_(named))
    ordered = query.order_by(Schedule.priority_rank, Schedule.id)
    return ordered.with_for_update(key_share=True, of=Schedule)


def _note_pruned(db: Session, ticks: Sequence[tuple[str | None, datetime | None]]) -> None:
    """Have each schedule remember the newest of its ticks whose row is gone."""
    newest: dict[str, datetime] = {}
    for schedule_id, tick_at in ticks:
        if schedule_id is not None and tick_at is not None:
            newest[schedule_id] = max(tick_at, newest.get(schedule_id, tick_at))
    if not newest:
        return
    given = given_rows(db, {"id": (str, list(newest)), "until": (datetime, list(newest.values()))})
    until = Schedule.pruned_until
    is_later = or_(until.is_(None), until < given.c.until)
    noted = update(Schedule).where(Schedule.id == given.c.id, is_later)
    changed_rows(db, noted.values(pruned_until=given.c.until))
