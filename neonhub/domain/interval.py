"""Intervals: how they are written, and arithmetic on their grid."""

import re
from datetime import datetime, timedelta
from math import inf, isfinite

from neonhub.domain.cron import InvalidSchedule

MIN_SECONDS = 1.0
MAX_SECONDS = 366 * 86_400.0 * 10
MAX_TEXT = 100
_UNIT_NAMES = {
    1: "s sec secs second seconds",
    60: "m min mins minute minutes",
    3600: "h hr hrs hour hours",
    86_400: "d day days",
    604_800: "w week weeks",
}
_UNITS = {name: seconds for seconds, names in _UNIT_NAMES.items() for name in names.split()}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*")
ALLOWED = '"every 30 minutes", "every day", "90s", "1h30m" or a number of seconds'


def parse_interval(value: object) -> float:
    """Seconds of an interval.

    Raises:
        InvalidSchedule: It cannot be read, or is shorter than one second.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidSchedule(f"{value!r} is not an interval; allowed: {ALLOWED}.")
    try:
        seconds = float(value) if not isinstance(value, str) else _parse_text(value)
    except OverflowError:
        seconds = inf
    if not isfinite(seconds) or not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise InvalidSchedule("It must be at least 1 second and at most 10 years.")
    return seconds


def _parse_text(text: str) -> float:
    if len(text) > MAX_TEXT:
        raise InvalidSchedule(f"It may have at most {MAX_TEXT} characters.")
    lowered = text.strip().lower()
    rest = lowered.removeprefix("every").strip()
    if rest == lowered and _NUMBER.fullmatch(rest):
        return float(rest)
    if rest != lowered and rest in _UNITS:
        return float(_UNITS[rest])
    seconds, at = 0.0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or part[2] not in _UNITS:
            raise InvalidSchedule(f"{text!r} is not an interval; allowed: {ALLOWED}.")
        seconds += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not rest:
        raise InvalidSchedule(f"{text!r} is not an interval; allowed: {ALLOWED}.")
    return seconds


def next_on_grid(anchor: datetime, seconds: float, after: datetime) -> datetime:
    """The first grid instant strictly after `after`, never before the anchor."""
    if after < anchor:
        return anchor
    step = timedelta(seconds=seconds)
    return anchor + step * ((after - anchor) // step + 1)


def latest_on_grid(anchor: datetime, seconds: float, at: datetime) -> datetime | None:
    """The newest grid instant at or before `at`, or None before the anchor."""
    if at < anchor:
        return None
    step = timedelta(seconds=seconds)
    return anchor + step * ((at - anchor) // step)


def count_on_grid(anchor: datetime, seconds: float, start: datetime, end: datetime) -> int:
    """How many grid instants there are in start ≤ t < end."""
    step = timedelta(seconds=seconds)
    first = max(0, -((anchor - start) // step))
    return max(0, -((anchor - end) // step) - first)
