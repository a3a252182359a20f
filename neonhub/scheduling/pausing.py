"""Pausing and resuming the whole scheduler."""

from datetime import datetime

from redis import Redis

from neonhub.database import Database
from neonhub.execution.fleet import get_fleet
from neonhub.execution.outbox import Outbox

MAX_REASON = 500


def set_scheduler_paused(
    database: Database, redis: Redis, paused: bool, *, reason: str | None = None, now: datetime
) -> bool:
    """Pause or resume all schedules: what comes due while paused is skipped, run-now still works.

    Args:
        reason: Shown as long as it is paused; at most 500 characters are kept.

    Returns:
        False if that was the state already: then nothing changes, the first reason stays.
    """
    outbox = Outbox()
    with database.begin() as db:
        fleet = get_fleet(db, lock=True)
        if paused == (fleet.paused_at is not None):
            return False
        fleet.paused_at = now if paused else None
        fleet.pause_reason = reason[:MAX_REASON] if paused and reason else None
        data = {"paused": paused, "reason": fleet.pause_reason}
        word = "paused" if paused else "resumed"
        outbox.tell_all(db, "scheduler:status", data, now=now, message=word)
    outbox.deliver(redis)
    return True
