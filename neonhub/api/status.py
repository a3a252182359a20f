"""The whole scheduler in one answer: what runs, what waits, who works, how late it is."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles
from typing import Any, TypeVar, cast

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.states import QUEUES, SchedulerState, SessionStatus, Trigger
from neonhub.models import AgentSession, Attempt, Fleet, Schedule, Slot
from neonhub.redis.keys import WORKER_FAULT
from neonhub.redis.queues import queue_lengths
from neonhub.scheduling.heartbeat import LiveScheduler, live_schedulers

logger = logging.getLogger(__name__)

LAG_FIRINGS = 1000
LAG_SESSIONS = 20_000
"""Of all sessions, so many at most are looked through for the last firings."""

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
Found = TypeVar("Found")


def status(database: Database, redis: Redis) -> dict[str, Any]:
    """The status of the scheduler; what can't be read while a dependency is away is empty.

    Where several states hold: ERROR, then PAUSED, then IDLE.
    """
    stored, database_fault = _try(lambda: _from_database(database), "The database does not answer.")
    carried, redis_fault = _try(lambda: _from_redis(redis), "Redis does not answer.")
    stored, carried = stored or _nothing_stored(), carried or _nothing_carried()
    schedulers: list[LiveScheduler] = carried["schedulers"]
    workers: list[Worker] = carried.pop("workers")
    faults = [*(each.fault for each in schedulers), *(each.fault for each in workers)]
    lonely = None if schedulers else "No scheduler is alive."
    reasons = [database_fault, redis_fault, lonely, *faults]
    state, reason = _state(stored, next(filter(None, reasons), None))
    busy: dict[str, str] = stored.pop("busy")
    listed = [
        {"name": each.name, "state": each.state, "session_id": busy.get(each.name)}
        for each in workers
    ]
    return {**stored, **carried, "workers": listed, "state": state, "reason": reason}


def _state(stored: dict[str, Any], fault: str | None) -> tuple[SchedulerState, str | None]:
    paused, reason = stored.pop("paused"), stored.pop("pause_reason")
    if fault:
        return SchedulerState.ERROR, fault
    if paused:
        return SchedulerState.PAUSED, reason
    if not stored["schedules"]["enabled"]:
        return SchedulerState.IDLE, None
    return SchedulerState.RUNNING, None


def _try(read: Callable[[], Found], sentence: str) -> tuple[Found | None, str | None]:
    try:
        return read(), None
    except (*DATABASE_ERRORS, RedisError) as error:
        logger.warning("%s %s", sentence, error)
        return None, sentence


def _from_database(database: Database) -> dict[str, Any]:
    with database.read() as db:
        fleet = db.get(Fleet, 1)
        return {
            "paused": fleet is not None and fleet.paused_at is not None,
            "pause_reason": fleet.pause_reason if fleet else None,
            "max_concurrent": fleet.max_concurrent if fleet else 0,
            "fired_total": fleet.fired_total if fleet else 0,
            "running": db.scalar(_running()) or 0,
            "next_run_at": _next_run_at(db),
            "schedules": _schedule_counts(db),
            "firing_lag_ms": firing_lag_ms(db),
            "busy": _busy(db),
        }


def _nothing_stored() -> dict[str, Any]:
    return {
        "paused": False,
        "pause_reason": None,
        "max_concurrent": 0,
        "fired_total": 0,
        "running": 0,
        "next_run_at": None,
        "schedules": {"enabled": 0, "disabled": 0},
        "firing_lag_ms": {"p50": None, "p99": None},
        "busy": {},
    }


def _running() -> Any:
    taken = (Slot.session_id.is_not(None), Slot.reserved_until.is_(None))
    return select(func.count(Slot.number)).where(*taken)


def _next_run_at(db: Session) -> Any:
    """The earliest of all, one index lookup for each priority."""
    nearest = [
        db.scalar(
            select(Schedule.next_run_at)
            .where(Schedule.priority_rank == rank, Schedule.next_run_at.is_not(None))
            .order_by(Schedule.next_run_at)
            .limit(1)
        )
        for rank in range(len(QUEUES))
    ]
    return min((at for at in nearest if at is not None), default=None)


def _schedule_counts(db: Session) -> dict[str, int]:
    query = select(Schedule.enabled, func.count()).where(Schedule.deleted_at.is_(None))
    counts = {enabled: count for enabled, count in db.execute(query.group_by(Schedule.enabled))}
    return {"enabled": counts.get(True, 0), "disabled": counts.get(False, 0)}


def firing_lag_ms(db: Session) -> dict[str, float | None]:
    """Median and 99th percentile of the last firings' delay, in milliseconds."""
    lags = [
        (queued_at - scheduled_for).total_seconds() * 1000
        for queued_at, scheduled_for in db.execute(last_firings())
        if scheduled_for is not None
    ]
    if not lags:
        return {"p50": None, "p99": None}
    if len(lags) == 1:
        return {"p50": round(lags[0], 3), "p99": round(lags[0], 3)}
    cuts = quantiles(lags, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def last_firings() -> Select[datetime, datetime | None]:
    """When the last ticks that became sessions were decided, and for when they were planned."""
    names = ("queued_at", "scheduled_for", "trigger", "status")
    # Ids sort by the time they were made, so firings need no index of their own.
    newest = select(*(getattr(AgentSession, name) for name in names))
    recent = newest.order_by(AgentSession.id.desc()).limit(LAG_SESSIONS).subquery("recent")
    is_fired = recent.c.status.not_in([SessionStatus.SKIPPED, SessionStatus.MISSED])
    return (
        select(recent.c.queued_at, recent.c.scheduled_for)
        .where(recent.c.trigger == Trigger.SCHEDULE, is_fired)
        .limit(LAG_FIRINGS)
    )


def _busy(db: Session) -> dict[str, str]:
    """Worker → the session it runs."""
    query = select(Attempt.worker, Attempt.session_id).where(Attempt.finished_at.is_(None))
    return {worker: session_id for worker, session_id in db.execute(query)}


def _from_redis(redis: Redis) -> dict[str, Any]:
    return {
        "schedulers": live_schedulers(redis),
        "queues": queue_lengths(redis),
        "workers": _workers(redis),
    }


def _nothing_carried() -> dict[str, Any]:
    return {"schedulers": [], "queues": dict.fromkeys(QUEUES, 0), "workers": []}


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker RQ knows, one of a pool or a stock one."""

    name: str
    state: str
    fault: str | None  # why its pool can start no agent; None: it can


def _workers(redis: Redis) -> list[Worker]:
    keys = sorted(cast(set[bytes], redis.smembers("rq:workers")))
    pipeline = redis.pipeline(transaction=False)
    for key in keys:
        pipeline.hmget(key, "state", "death", WORKER_FAULT)
    found = zip(keys, pipeline.execute(), strict=True)
    return [
        Worker(
            key.decode().removeprefix("rq:worker:"), state.decode(), (fault or b"").decode() or None
        )
        for key, (state, death, fault) in found
        if state is not None and death is None
    ]
