"""Who schedules at present: each scheduler says so, and its entry goes soon after it dies."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from redis import Redis

from neonhub.redis import keys
from neonhub.scheduling.timers import Timers

FORGET_SECONDS = 3600
"""Names of dead schedulers leave the index after this."""


@dataclass(frozen=True, slots=True)
class LiveScheduler:
    """A scheduler that is alive, as the status shows it."""

    id: str
    host: str
    pid: int
    started_at: datetime
    last_check_at: datetime
    last_check_ms: float  # how long the last look at the timers took
    fault: str | None = None  # why it can't work at present


class Heartbeat:
    """Keeps one scheduler's entry; birth, beat and death are rq-scheduler's."""

    def __init__(self, redis: Redis, timers: Timers) -> None:
        self._redis = redis
        self._timers = timers
        self._started_at: datetime | None = None

    def beat(self, now: datetime, check_ms: float, fault: str | None = None) -> None:
        """Say that the scheduler is alive; the first time, or after Redis was emptied, anew.

        Args:
            check_ms: How long its last look at the timers took, in milliseconds.
            fault: Why it can't work at present; None: it can.
        """
        self._started_at = self._started_at or now
        entry: dict[Any, Any] = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "startedAt": self._started_at.isoformat(),
            "lastCheckAt": now.isoformat(),
            "lastCheckMs": round(check_ms, 3),
            "fault": fault or "",
        }
        if not self._write(entry, now):
            self._redis.delete(self._timers.key)  # what was just written, which no birth bears
            self._timers.register_birth()
            self._write(entry, now)

    def _write(self, entry: dict[Any, Any], now: datetime) -> bool:
        """Write the entry in one round trip; whether it was there before."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.expire(self._timers.key, self._timers.entry_seconds)
        pipeline.hset(self._timers.key, mapping=entry)
        pipeline.zadd(keys.SCHEDULERS, {self._timers.name: now.timestamp()})
        forgotten = now.timestamp() - FORGET_SECONDS
        pipeline.zremrangebyscore(keys.SCHEDULERS, "-inf", forgotten)
        return bool(pipeline.execute()[0])

    def end(self) -> None:
        """Say that the scheduler has ended in good order."""
        self._timers.register_death()
        self._redis.zrem(keys.SCHEDULERS, self._timers.name)


def live_schedulers(redis: Redis) -> list[LiveScheduler]:
    """The schedulers that are alive, the one that started first first.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
    """
    names = cast(list[bytes], redis.zrange(keys.SCHEDULERS, 0, -1))
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.hgetall(f"{keys.SCHEDULER_PREFIX}{name.decode()}")
    found = zip(names, pipeline.execute(), strict=True)
    alive = [_live(name, entry) for name, entry in found if b"pid" in entry]
    return sorted(alive, key=lambda scheduler: (scheduler.started_at, scheduler.id))


def _live(name: bytes, entry: dict[bytes, bytes]) -> LiveScheduler:
    return LiveScheduler(
        id=name.decode(),
        host=entry[b"host"].decode(),
        pid=int(entry[b"pid"]),
        started_at=datetime.fromisoformat(entry[b"startedAt"].decode()),
        last_check_at=datetime.fromisoformat(entry[b"lastCheckAt"].decode()),
        last_check_ms=float(entry[b"lastCheckMs"]),
        fault=entry.get(b"fault", b"").decode() or None,
    )
