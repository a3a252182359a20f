"""The rule of Debian's cron once more, minute by minute: slow, and written to be checked by eye."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from neonhub.domain.cron import Cron

MINUTE = timedelta(minutes=1)


def ticks(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """All ticks in start ≤ t < end, from looking at every minute."""
    found = (
        _by_clock(cron, zone, start, end) if cron.follows_clock else _fixed(cron, zone, start, end)
    )
    return sorted({tick for tick in found if start <= tick < end})


def _by_clock(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    for instant in _minutes(start, end):
        if _matches(cron, instant.astimezone(zone).replace(tzinfo=None)):
            yield instant


def _fixed(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Walk real time; each wall minute counts once, and skipped ones fire when time jumps."""
    early = start - timedelta(days=3)
    shown = early.astimezone(zone).replace(tzinfo=None)
    latest = shown
    for instant in _minutes(early, end):
        shown = instant.astimezone(zone).replace(tzinfo=None)
        if shown < latest:
            continue  # the clock went back: these minutes were there before
        while latest < shown:
            if _matches(cron, latest):
                yield instant
            latest += MINUTE
        if _matches(cron, shown):
            yield instant
        latest = shown + MINUTE


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    instant = start.astimezone(UTC).replace(second=0, microsecond=0)
    while instant < end:
        yield instant
        instant += MINUTE


def _matches(cron: Cron, wall: datetime) -> bool:
    day: date = wall.date()
    return wall.minute in cron.minutes and wall.hour in cron.hours and cron.matches(day)
