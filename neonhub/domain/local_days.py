"""The instants at which a cron job fires on one local date, clock changes included.

The rule is that of Debian's cron(8), "daylight saving": a job at a fixed time that the spring gap
swallows runs once, right after the gap; a fixed time that occurs twice in autumn runs the first
time; a job whose minute or hour begins with `*` runs whenever the wall clock matches.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from neonhub.domain.cron import Cron

_MINUTE = timedelta(minutes=1)


def first_after(cron: Cron, day: date, zone: tzinfo, after: datetime) -> datetime | None:
    """The first instant of a nominal date strictly after another; the date is known to match."""
    start = plain_start(day, zone)
    if start is None:
        return next((instant for instant in instants_on(cron, day, zone) if instant > after), None)
    minute = cron.minute_from((after - start) // _MINUTE + 1)
    return None if minute is None else start + minute * _MINUTE


def last_until(cron: Cron, day: date, zone: tzinfo, until: datetime) -> datetime | None:
    """The last instant of a nominal date at or before another; the date is known to match."""
    start = plain_start(day, zone)
    if start is None:
        earlier = [instant for instant in instants_on(cron, day, zone) if instant <= until]
        return earlier[-1] if earlier else None
    minute = cron.minute_until((until - start) // _MINUTE)
    return None if minute is None else start + minute * _MINUTE


@lru_cache(maxsize=512)
def instants_on(cron: Cron, day: date, zone: tzinfo) -> tuple[datetime, ...]:
    """The instants of one nominal date, ascending, in UTC; the date is known to match.

    Few are kept: a minutely job has 1,440 a day, and most days are plain and need none.
    """
    start = plain_start(day, zone)
    if start is not None:
        minutes = (60 * hour + minute for hour in cron.hours for minute in cron.minutes)
        return tuple(start + minute * _MINUTE for minute in minutes)
    if cron.follows_clock:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        return _by_wall_clock(cron, day, zone, midnight.astimezone(UTC))
    walls = (datetime.combine(day, time(h, m)) for h in cron.hours for m in cron.minutes)
    return tuple(sorted({instant_of(wall, zone) for wall in walls}))


@lru_cache(maxsize=8192)
def plain_start(day: date, zone: tzinfo) -> datetime | None:
    """The first instant of a date that is plain; None for one that is not."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    offset = midnight.utcoffset()
    following = midnight + timedelta(days=1)
    is_plain = (
        offset == midnight.replace(fold=1).utcoffset()
        and offset == midnight.replace(hour=12).utcoffset()
        and offset == following.utcoffset()
    )
    return midnight.astimezone(UTC) if is_plain else None


def is_plain(day: date, zone: tzinfo) -> bool:
    """Whether the date has 24 hours of one offset, so that arithmetic is enough."""
    return plain_start(day, zone) is not None


def _by_wall_clock(cron: Cron, day: date, zone: tzinfo, start: datetime) -> tuple[datetime, ...]:
    found = []
    instant = start - timedelta(hours=3)
    for _ in range(30 * 60):
        wall = instant.astimezone(zone)
        if wall.date() == day and wall.hour in cron.hours and wall.minute in cron.minutes:
            found.append(instant)
        instant += _MINUTE
    return tuple(found)


def instant_of(wall: datetime, zone: tzinfo) -> datetime:
    """The instant of a fixed wall time: the first of two, or the end of the gap it falls in."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    return _gap_end(wall, zone)


def _gap_end(wall: datetime, zone: tzinfo) -> datetime:
    # Inside a gap, fold=1 reads the time by the offset after it, which lands before the change,
    # and fold=0 by the offset before it, which lands after: the change is between the two.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    after = high.astimezone(zone).utcoffset()
    while high - low > _MINUTE / 60:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)
