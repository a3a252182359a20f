"""Pausing and resuming: the whole scheduler, one schedule, many; and skipping one tick.

What comes due while paused is skipped, and never caught up. So that this holds to the instant,
what is due already is decided before a pause begins or ends.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from redis import Redis
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from neonhub.database import Database, changed_rows
from neonhub.domain.states import Priority
from neonhub.errors import Conflict
from neonhub.execution.fleet import get_fleet
from neonhub.execution.outbox import Outbox, Told
from neonhub.models import Agent, Fleet, Schedule
from neonhub.models.finding import find_schedule, live_schedules
from neonhub.scheduling.settling import BATCH, settle, settle_all

logger = logging.getLogger(__name__)

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class ScheduleFilter:
    """Which schedules are meant: those that match everything given; None matches all."""

    agent_ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    priority: Priority | None = None


def set_scheduler_paused(
    database: Database, redis: Redis, paused: bool, *, reason: str | None = None, now: datetime
) -> bool:
    """Pause or resume all schedules: what comes due while paused is skipped, run-now still works.

    Args:
        reason: Shown as long as it is paused; at most 500 characters are kept.

    Returns:
        False if that was the state already, and no other reason is given.
    """
    with database.read() as db:
        if _is_repeat(get_fleet(db), paused, reason):
            return False
    settle_all(database, redis, now)
    outbox = Outbox()
    with database.begin() as db:
        fleet = get_fleet(db, lock=True)
        if _is_repeat(fleet, paused, reason):
            return False
        fleet.paused_at = (fleet.paused_at or now) if paused else None
        fleet.pause_reason = _kept(reason) if paused else None
        data = {"paused": paused, "reason": fleet.pause_reason}
        word = "paused" if paused else "resumed"
        outbox.tell(db, [Told("scheduler:status", data, word)], now=now)
    outbox.deliver(redis)
    return True


def _is_repeat(fleet: Fleet, paused: bool, reason: str | None) -> bool:
    is_new_reason = paused and reason and _kept(reason) != fleet.pause_reason
    return paused == (fleet.paused_at is not None) and not is_new_reason


def _kept(reason: str | None) -> str | None:
    return reason[:MAX_REASON] if reason else None


def set_schedule_paused(
    database: Database,
    redis: Redis,
    schedule_id: str,
    paused: bool,
    *,
    reason: str | None = None,
    now: datetime,
) -> Schedule:
    """Pause or resume a schedule; its ticks go on, and are skipped while it is paused.

    Args:
        reason: Shown as long as it is paused, or until another is given; at most 500 characters
            are kept.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    with database.begin() as db:
        outbox = settle(db, [schedule_id], now)
        schedule = find_schedule(db, schedule_id, lock=True)
        changed = _set_paused(db, [schedule_id], paused, reason, now)
        db.refresh(schedule)
        if paused and reason:
            schedule.pause_reason = _kept(reason)
    outbox.deliver(redis)
    if changed:
        extra = {"schedule_id": schedule_id, "reason": reason}
        logger.info("Paused a schedule." if paused else "Resumed a schedule.", extra=extra)
    return schedule


def set_schedules_paused(
    database: Database,
    redis: Redis,
    which: ScheduleFilter,
    paused: bool,
    *,
    reason: str | None = None,
    now: datetime,
) -> int:
    """Pause or resume many schedules, a batch a transaction.

    Returns:
        How many were changed; those that were in this state already keep their reason.
    """
    changed, after = 0, ""
    while True:
        with database.begin() as db:
            batch = _next_batch(db, which, paused, after)
            outbox = settle(db, batch, now)
            changed += _set_paused(db, batch, paused, reason, now)
        outbox.deliver(redis)
        if len(batch) < BATCH:
            break
        after = batch[-1]
    extra = {"changed": changed, "reason": reason}
    logger.info("Paused schedules." if paused else "Resumed schedules.", extra=extra)
    return changed


def skip_next(database: Database, redis: Redis, schedule_id: str, *, now: datetime) -> Schedule:
    """Skip the next tick of a schedule; asking again before it came due changes nothing.

    Raises:
        ScheduleNotFound: No schedule has this id.
        Conflict: It has no next tick.
    """
    with database.begin() as db:
        outbox = settle(db, [schedule_id], now)
        schedule = find_schedule(db, schedule_id, lock=True)
        if schedule.next_tick_at is None:
            raise Conflict("The schedule has no next tick that could be skipped.")
        schedule.skip_next = True
    outbox.deliver(redis)
    return schedule


def _next_batch(db: Session, which: ScheduleFilter, paused: bool, after: str) -> list[str]:
    query = live_schedules(select(Schedule)).with_only_columns(Schedule.id)
    query = query.where(Schedule.paused_at.is_(None) == paused, Schedule.id > after)
    if which.agent_ids is not None:
        query = query.join(Agent).where(Agent.slug.in_(which.agent_ids))
    if which.names is not None:
        query = query.where(Schedule.name.in_(which.names))
    if which.priority is not None:
        query = query.where(Schedule.priority == which.priority)
    return list(db.scalars(query.order_by(Schedule.id).limit(BATCH)))


def _set_paused(
    db: Session, schedule_ids: Sequence[str], paused: bool, reason: str | None, now: datetime
) -> int:
    kept = _kept(reason) if paused else None
    values = {"paused_at": now if paused else None, "pause_reason": kept}
    others = Schedule.id.in_(schedule_ids), Schedule.paused_at.is_(None) == paused
    return changed_rows(db, update(Schedule).where(*others).values(values))
