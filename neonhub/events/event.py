"""What everyone who watches is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from neonhub.domain.instant import text_of
from neonhub.events.frames import text_frame

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

RESYNC_FRAME = text_frame(RESYNC)


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
    frame: bytes  # what every client is sent of it
    position: tuple[int, int]  # the id as numbers, for comparing


def parse_published(text: str) -> PublishedEvent:
    """Read an event as `publish.lua` sends and keeps it."""
    message = json.loads(text)
    event_id = message["id"]
    return PublishedEvent(
        id=event_id,
        event=message["event"],
        agent_id=message["agentId"],
        text=text,
        frame=text_frame(text),
        position=position_of(event_id),
    )


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
