"""What everyone who watches is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from neonhub.domain.instant import text_of

NAMES = (
    "agent:started",
    "agent:completed",
    "agent:failed",
    "agent:progress",
    "scheduler:status",
)
"""Every event there is."""


RESYNC = json.dumps({"event": "resync_required"}, separators=(",", ":"))
"""Told instead of events that can no longer be had one by one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, before Redis has given it its id."""

    event: str
    agent_id: str | None
    session_id: str | None
    schedule_id: str | None
    timestamp: datetime
    data: Mapping[str, Any]
    row_id: str | None = None  # of its row in the database; None: it is in Redis only

    def body(self) -> str:
        """The JSON a client gets, without the id."""
        return json.dumps(
            {
                "event": self.event,
                "agentId": self.agent_id,
                "sessionId": self.session_id,
                "scheduleId": self.schedule_id,
                "timestamp": text_of(self.timestamp),
                "data": dict(self.data),
            },
            separators=(",", ":"),
        )


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event with its id, encoded once for all who watch."""

    id: str
    event: str
    agent_id: str | None
    text: str

    @property
    def position(self) -> tuple[int, int]:
        """The id as numbers, for comparing."""
        return position_of(self.id)


def parse_published(text: str) -> PublishedEvent:
    """Read an event as `publish.lua` sends and keeps it."""
    message = json.loads(text)
    return PublishedEvent(message["id"], message["event"], message["agentId"], text)


def position_of(event_id: str) -> tuple[int, int]:
    """An id as numbers.

    Raises:
        ValueError: It is not of the form `milliseconds-number`.
    """
    milliseconds, separator, number = event_id.partition("-")
    digits = milliseconds + number
    if not separator or not digits.isascii() or not digits.isdigit() or len(digits) > 40:
        raise ValueError(f"{event_id!r} is not an event id such as 1772452800000-0.")
    return int(milliseconds), int(number)
