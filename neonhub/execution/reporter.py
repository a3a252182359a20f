"""What an agent tells, on its way through the pipe to its keeper."""

import json
import threading
from multiprocessing.connection import Connection
from typing import Any

from neonhub.agents.serialisable import shortened

Message = dict[str, Any]
"""`{"kind": "ready"|"progress"|"log"|"end", …}`."""

LOG_FULL = "log_full"
"""The type of the last line of a log that grew too long."""


def encode(message: Message) -> bytes:
    """A message as it goes through the pipe."""
    return json.dumps(message, default=str).encode()


class PipeReporter:
    """Sends progress and log lines as messages; safe to use from several threads."""

    def __init__(self, pipe: Connection, *, max_lines: int, max_line_bytes: int) -> None:
        """
        Args:
            max_lines: Log lines that are kept; one more says that the rest was dropped.
            max_line_bytes: Of a line's message and data together, as UTF-8 and JSON.
        """
        self._pipe = pipe
        self._lock = threading.Lock()
        self._max_lines = max_lines
        self._max_line_bytes = max_line_bytes
        self._lines = 0

    def progress(self, percent: float, message: str) -> None:
        """Send the newest progress."""
        message = shortened(message, self._max_line_bytes)
        self.send({"kind": "progress", "percent": percent, "message": message})

    def log(self, type: str, message: str, data: dict[str, Any], level: str) -> None:
        """Send one line of the log, cut to what may be kept."""
        with self._lock:
            self._lines += 1
            number = self._lines
        if number == self._max_lines + 1:
            sentence = (
                f"The log has {self._max_lines} lines, the most that NEONHUB_MAX_LOG_LINES "
                "allows for an attempt; the rest is dropped."
            )
            type, message, data, level = LOG_FULL, sentence, {}, "warning"
        if number <= self._max_lines + 1:
            message, data = self._cut(message, data)
            line = {"type": type, "message": message, "data": data, "level": level}
            self.send({"kind": "log", **line})

    def send(self, message: Message) -> None:
        """Send a message."""
        encoded = encode(message)
        with self._lock:
            self._pipe.send_bytes(encoded)

    def _cut(self, message: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        message = shortened(message, self._max_line_bytes)
        size = len(json.dumps(data, default=str, ensure_ascii=False).encode())
        if len(message.encode()) + size <= self._max_line_bytes or not data:
            return message, data
        return message, {"dropped": f"{size} bytes: too much for NEONHUB_MAX_LOG_LINE_BYTES"}
