"""How one log line looks: readable on a terminal, JSON elsewhere, never with a secret in it."""

import json
import logging
import traceback
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from neonhub.observability.masking import Masker

MAX_FRAMES = 50
"""Of one traceback, the innermost ones."""

_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31;1m"}
_PLAIN = "\x1b[0m"


def line_formatter(
    process: str, *, readable: bool, secrets: Collection[str] = ()
) -> logging.Formatter:
    """Write a record, its `extra` fields and its exception as one line.

    Args:
        process: Named in each line: web, scheduler, pool, …
        readable: For a person at a terminal; JSON otherwise.
        secrets: Values that are replaced wherever they would appear.
    """
    kind = ReadableLine if readable else JsonLine
    return kind(process, Masker(secrets))


class JsonLine(logging.Formatter):
    """One JSON object a record, for machines."""

    def __init__(self, process: str, masker: Masker) -> None:
        super().__init__()
        self._process = process
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line = {**_fields(record), "process": self._process}
        if record.exc_info and record.exc_info[1]:
            # Local variables stay out of tracebacks: they hold keys and whole configurations.
            line["exception"] = list(_exceptions(record.exc_info[1]))
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(_masked(line, self._masker), default=str)


class ReadableLine(logging.Formatter):
    """Text for a person at a terminal; a traceback follows on lines of its own."""

    def __init__(self, process: str, masker: Masker) -> None:
        super().__init__()
        self._process = process
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line = _masked({**_fields(record), "process": self._process}, self._masker)
        begin, level = line.pop("timestamp"), line.pop("level")
        colour = _COLOURS.get(level)
        shown = f"{colour}[{level}]{_PLAIN}" if colour else f"[{level}]"
        rest = " ".join(f"{name}={value}" for name, value in line.items() if name != "event")
        lines = [f"{begin} {shown} {line['event']} {rest}"]
        if record.exc_info and record.exc_info[1]:
            lines.append(self._masker.text(self.formatException(record.exc_info)))
        if record.stack_info:
            lines.append(self._masker.text(record.stack_info))
        return "\n".join(lines)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
    return {
        "event": record.getMessage(),
        **extra,
        "level": record.levelname.lower(),
        "logger": record.name,
        "timestamp": datetime.fromtimestamp(record.created, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
    }


def _masked(line: dict[str, Any], masker: Masker) -> dict[str, Any]:
    return {name: masker.data(value, name) for name, value in line.items()}


def _exceptions(error: BaseException, *, is_cause: bool = False) -> Iterator[dict[str, Any]]:
    """An exception and those it came from, the last one first."""
    frames = traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES)
    yield {
        "exc_type": type(error).__name__,
        "exc_value": str(error),
        "exc_notes": list(getattr(error, "__notes__", ())),
        "is_cause": is_cause,
        "frames": [
            {"filename": each.filename, "lineno": each.lineno, "name": each.name} for each in frames
        ],
    }
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _exceptions(inner)
    if error.__cause__ is not None:
        yield from _exceptions(error.__cause__, is_cause=True)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _exceptions(error.__context__)
