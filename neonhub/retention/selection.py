"""Finds what may go: reads only, along indexes, a page at a time."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, aliased

from neonhub.domain.retention import Bound, Place
from neonhub.execution.session_manager import IDEMPOTENCY_HOURS
from neonhub.models import AgentSession, IdempotencyKey, Schedule

START = Place(datetime(1, 1, 1, tzinfo=UTC), "")
"""Before every session."""


def first_over(agent_key: int, keep_sessions: int) -> Select[datetime, str]:
    """The newest of an agent's ended sessions that is one too many, if there is one."""
    return (
        select(AgentSession.queued_at, AgentSession.id)
        .where(AgentSession.agent_key == agent_key, AgentSession.finished_at.is_not(None))
        .order_by(AgentSession.queued_at.desc(), AgentSession.id.desc())
        .offset(keep_sessions)
        .limit(1)
    )


def page(agent_key: int, bound: Bound, after: Place, *, limit: int) -> Select[datetime, str]:
    """An agent's sessions that are past a bound, oldest first, in the order of its history."""
    place = tuple_(AgentSession.queued_at, AgentSession.id)
    return (
        select(AgentSession.queued_at, AgentSession.id)
        .where(
            AgentSession.agent_key == agent_key,
            # For SQLite, which does not look for pairs in an index.
            AgentSession.queued_at.between(after.queued_at, bound.place.queued_at),
            place > (after.queued_at, after.session_id),
            place <= (bound.place.queued_at, bound.place.session_id),
            AgentSession.finished_at < bound.ended_before,
        )
        .order_by(AgentSession.queued_at, AgentSession.id)
        .limit(limit)
    )


def kept(db: Session, ids: Sequence[str], now: datetime) -> set[str]:
    """Those that stay however old they are.

    The last run of a schedule, which its `lastRunAt` tells of, and what an `Idempotency-Key` that
    still counts has to answer.
    """
    if not ids:
        return set()
    return {*db.scalars(last_runs(ids)), *db.scalars(_answers(ids, now))}


def last_runs(ids: Collection[str]) -> Select[str]:
    """Those sessions that started, and after which none of their schedule's did."""
    newer = aliased(AgentSession)
    follower = (
        select(newer.id)
        .where(
            newer.schedule_id == AgentSession.schedule_id,
            newer.started_at.is_not(None),
            newer.queued_at >= AgentSession.queued_at,
            tuple_(newer.queued_at, newer.id) > tuple_(AgentSession.queued_at, AgentSession.id),
        )
        # So that its first row is looked up, and not all of a schedule's rows are joined.
        .order_by(newer.queued_at)
        .limit(1)
        .correlate(AgentSession)
        .scalar_subquery()
    )
    return (
        select(AgentSession.id)
        .join(Schedule, Schedule.id == AgentSession.schedule_id)
        .where(
            AgentSession.id.in_(ids),
            AgentSession.started_at.is_not(None),
            Schedule.deleted_at.is_(None),
            follower.is_(None),
        )
    )


def keys_expire_before(now: datetime) -> datetime:
    """An `Idempotency-Key` seen before this instant counts no more."""
    return now - timedelta(hours=IDEMPOTENCY_HOURS)


def _answers(ids: Collection[str], now: datetime) -> Select[str]:
    return select(IdempotencyKey.session_id).where(
        IdempotencyKey.session_id.in_(ids), IdempotencyKey.created_at >= keys_expire_before(now)
    )
