"""What a running agent tells: progress that passes through, and log lines that are kept."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from neonhub.events import Event
from neonhub.execution.claims import Claim
from neonhub.models import SessionEvent

Line = dict[str, Any]
"""A row of `session_events` that an agent wrote itself."""


class ProgressFeed:
    """Lets progress pass as it is made, and no faster than watchers can use it.

    At once up to twice NEONHUB_MAX_EVENTS_PER_SECOND, then that often; the newest wins.
    """

    def __init__(self, claim: Claim) -> None:
        self.percent: float | None = None
        self.message: str | None = None
        self._claim = claim
        self._is_told = True
        self._rate = claim.max_events_per_second
        self._budget = float(2 * self._rate)
        self._refilled = time.monotonic()

    def take(self, percent: float, message: str) -> None:
        """Note the newest progress."""
        self.percent, self.message, self._is_told = percent, message, False

    def due(self, *, now: datetime) -> list[Event]:
        """The newest progress, if nobody was told of it yet and the budget allows."""
        if self._is_told:
            return []
        self._refill()
        return self.rest(now=now) if self._budget >= 1 else []

    def rest(self, *, now: datetime) -> list[Event]:
        """The newest progress, if nobody was told of it yet."""
        if self._is_told:
            return []
        self._is_told = True
        self._budget -= 1
        return [self._event(now)]

    def _refill(self) -> None:
        now = time.monotonic()
        grown = self._budget + (now - self._refilled) * self._rate
        self._budget = min(2.0 * self._rate, grown)
        self._refilled = now

    def _event(self, now: datetime) -> Event:
        return Event(
            event="agent:progress",
            agent_id=self._claim.agent_id,
            session_id=self._claim.session_id,
            schedule_id=self._claim.schedule_id,
            timestamp=now,
            data={
                "progress": self.percent,
                "message": self.message,
                "attempt": self._claim.attempt,
            },
            row_id=None,
        )


def line_of(claim: Claim, told: dict[str, Any], *, now: datetime) -> Line:
    """The row for what an agent logged: `type`, `message`, `data` and `level`."""
    return {
        "session_id": claim.session_id,
        "agent_id": claim.agent_id,
        "schedule_id": claim.schedule_id,
        "attempt": claim.attempt,
        "event": None,
        "type": str(told["type"])[:100],
        "level": told["level"],
        "message": str(told["message"]),
        "data": told["data"],
        "created_at": now,
    }


def keep_lines(db: Session, lines: Sequence[Line]) -> None:
    """Write log lines, in this order."""
    if lines:
        db.execute(insert(SessionEvent), list(lines))
