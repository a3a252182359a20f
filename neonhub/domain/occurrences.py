"""The ticks of a schedule: next, newest, all in a range, how many."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from neonhub.domain.cron import Cron, parse_cron
from neonhub.domain.interval import count_on_grid, latest_on_grid, next_on_grid
from neonhub.domain.local_days import first_after, instants_on, is_plain, last_until
from neonhub.domain.schedule import Recurrence

_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
_INSTANT = timedelta(microseconds=1)

_REMEMBERED = 8192
"""Answers kept: many schedules share an expression, a zone and an instant."""


def next_tick(rec: Recurrence, after: datetime) -> datetime | None:
    """The first tick strictly after an instant, or None if there is none.

    Jitter is not in it; `start_at` and `end_at` are.
    """
    if rec.start_at is not None and after < rec.start_at:
        after = rec.start_at - _INSTANT
    try:
        tick = _next(rec, after)
    except OverflowError:  # the calendar ends with the year 9999
        return None
    return None if tick is None or (rec.end_at and tick > rec.end_at) else tick


def latest_tick(rec: Recurrence, at: datetime) -> datetime | None:
    """The newest tick at or before an instant, or None if there is none."""
    if rec.end_at is not None:
        at = min(at, rec.end_at)
    tick = _latest(rec, at)
    return None if tick is None or (rec.start_at and tick < rec.start_at) else tick


def ticks_between(rec: Recurrence, start: datetime, end: datetime) -> Iterator[datetime]:
    """All ticks in start ≤ t < end, oldest first, made one at a time."""
    tick = next_tick(rec, start - _INSTANT)
    while tick is not None and tick < end:
        yield tick
        tick = next_tick(rec, tick)


def count_ticks(rec: Recurrence, start: datetime, end: datetime) -> int:
    """How many ticks there are in start ≤ t < end, by arithmetic where it allows."""
    if rec.start_at is not None:
        start = max(start, rec.start_at)
    if rec.end_at is not None:
        end = min(end, rec.end_at + _INSTANT)
    if end <= start:
        return 0
    if rec.interval_seconds is not None:
        return count_on_grid(_anchor(rec), rec.interval_seconds, start, end)
    if rec.cron_expression is not None:
        return _count_cron(parse_cron(rec.cron_expression), rec.zone, start, end)
    return sum(1 for _ in ticks_between(rec, start, end))


def shortest_distance(rec: Recurrence, since: datetime) -> float | None:
    """Seconds between the nearest two of the next hundred ticks; None for fewer than two."""
    if rec.interval_seconds is not None:
        return rec.interval_seconds
    ticks = list(islice(ticks_between(rec, since, since + 10 * _YEAR), 100))
    distances = [(later - earlier).total_seconds() for earlier, later in pairwise(ticks)]
    return min(distances, default=None)


def _next(rec: Recurrence, after: datetime) -> datetime | None:
    if rec.cron_expression is not None:
        return next_of_cron(rec.cron_expression, rec.timezone, after)
    if rec.interval_seconds is not None:
        return next_on_grid(_anchor(rec), rec.interval_seconds, after)
    return rec.run_at if rec.run_at is not None and rec.run_at > after else None


def _latest(rec: Recurrence, at: datetime) -> datetime | None:
    if rec.cron_expression is not None:
        return latest_of_cron(rec.cron_expression, rec.timezone, at)
    if rec.interval_seconds is not None:
        return latest_on_grid(_anchor(rec), rec.interval_seconds, at)
    return rec.run_at if rec.run_at is not None and rec.run_at <= at else None


@lru_cache(maxsize=_REMEMBERED)
def next_of_cron(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first tick of a cron expression strictly after an instant."""
    cron, zone = parse_cron(expression), ZoneInfo(timezone)
    # A date's ticks may lie after its end (a gap at midnight), so the search starts a day early.
    day = cron.next_date(after.astimezone(zone).date() - _DAY)
    while day is not None:
        tick = first_after(cron, day, zone, after)
        if tick is not None:
            return tick
        day = cron.next_date(day + _DAY)
    return None


@lru_cache(maxsize=_REMEMBERED)
def latest_of_cron(expression: str, timezone: str, at: datetime) -> datetime | None:
    """The newest tick of a cron expression at or before an instant."""
    cron, zone = parse_cron(expression), ZoneInfo(timezone)
    day = at.astimezone(zone).date()
    for _ in range(40 * 366):
        if cron.matches(day):
            tick = last_until(cron, day, zone, at)
            if tick is not None:
                return tick
        day -= _DAY
    return None


def _count_cron(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> int:
    seen: datetime | None = None
    total = 0
    day: date | None = cron.next_date(start.astimezone(zone).date() - _DAY)
    first_whole, last = start.astimezone(zone).date() + _DAY, end.astimezone(zone).date()
    while day is not None and day <= last:
        if first_whole <= day < last and is_plain(day, zone):
            total += len(cron.hours) * len(cron.minutes)
        else:
            for instant in instants_on(cron, day, zone):
                if start <= instant < end and (seen is None or instant > seen):
                    total, seen = total + 1, instant
        day = cron.next_date(day + _DAY)
    return total


def _anchor(rec: Recurrence) -> datetime:
    return rec.anchor or datetime(1970, 1, 1, tzinfo=UTC)
