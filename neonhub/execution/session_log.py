"""What a running agent tells: progress that passes through, and log lines that are kept."""

import logging
import time
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import insert

from neonhub.database import Database
from neonhub.events import Event, publish
from neonhub.execution.claims import Claim
from neonhub.models import SessionEvent

logger = logging.getLogger(__name__)


class ProgressFeed:
    """Passes progress on as it is made, and no faster than watchers can use it.

    At once up to twice NEONHUB_MAX_EVENTS_PER_SECOND, then that often; the newest wins.
    """

    def __init__(self, claim: Claim, redis: Redis) -> None:
        self.percent: float | None = None
        self.message: str | None = None
        self._claim = claim
        self._redis = redis
        self._is_told = True
        self._rate = claim.max_events_per_second
        self._budget = float(2 * self._rate)
        self._refilled = time.monotonic()

    def take(self, percent: float, message: str, *, now: datetime) -> None:
        """Note the newest progress and publish it if the budget allows."""
        self.percent, self.message, self._is_told = percent, message, False
        self._refill()
        if self._budget >= 1:
            self.flush(now=now)

    def flush(self, *, now: datetime) -> None:
        """Publish the newest progress if nobody was told of it yet."""
        if self._is_told:
            return
        self._is_told = True
        self._budget -= 1
        data = {"progress": self.percent, "message": self.message, "attempt": self._claim.attempt}
        try:
            publish(self._redis, [self._event(data, now)])
        except RedisError as error:
            logger.warning("Progress of %s was not passed on: %s", self._claim.session_id, error)

    def flush_if_allowed(self, *, now: datetime) -> None:
        """Publish what was held back, once the budget has grown again."""
        self._refill()
        if self._budget >= 1:
            self.flush(now=now)

    def _refill(self) -> None:
        now = time.monotonic()
        grown = self._budget + (now - self._refilled) * self._rate
        self._budget = min(2.0 * self._rate, grown)
        self._refilled = now

    def _event(self, data: dict[str, Any], now: datetime) -> Event:
        return Event(
            event="agent:progress",
            agent_id=self._claim.agent_id,
            session_id=self._claim.session_id,
            schedule_id=self._claim.schedule_id,
            timestamp=now,
            data=data,
            row_id=None,
        )


class LogBuffer:
    """Collects log lines and writes them in batches."""

    def __init__(self, claim: Claim, database: Database) -> None:
        self._claim = claim
        self._database = database
        self._rows: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, line: dict[str, Any], *, now: datetime) -> None:
        """Keep one line: `type`, `message`, `data` and `level`."""
        self._rows.append(
            {
                "session_id": self._claim.session_id,
                "agent_id": self._claim.agent_id,
                "schedule_id": self._claim.schedule_id,
                "attempt": self._claim.attempt,
                "event": None,
                "type": str(line["type"])[:100],
                "level": line["level"],
                "message": str(line["message"]),
                "data": line["data"],
                "created_at": now,
            }
        )

    def flush(self) -> None:
        """Write the lines collected so far."""
        if self._rows:
            with self._database.begin() as db:
                db.execute(insert(SessionEvent), self._rows)
            self._rows.clear()
