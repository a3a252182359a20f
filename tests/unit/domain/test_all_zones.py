"""A job at a fixed time fires once for each local date, in every zone, over every change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from neonhub.domain.occurrences import ticks_between
from neonhub.domain.schedule import Recurrence

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """Instants at which the offset of a zone has just changed, to the minute."""
    at = datetime.combine(FIRST, time(), UTC)
    end = datetime.combine(LAST, time(), UTC)
    while at < end:
        following = at + DAY
        if at.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            yield _first_after(zone, at, following)
        at = following


def _first_after(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) // timedelta(minutes=2) * timedelta(minutes=1)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def test_once_for_each_date_over_every_change_in_every_zone() -> None:
    seen = 0
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for change in changes(zone):
            seen += 1
            wall = change.astimezone(zone).replace(tzinfo=None)
            for minutes in range(-120, 121, 30):
                fixed = wall + timedelta(minutes=minutes)
                expression = f"{fixed.minute} {fixed.hour} * * *"
                start = datetime.combine(wall.date() - 2 * DAY, time(), zone).astimezone(UTC)
                end = datetime.combine(wall.date() + 3 * DAY, time(), zone).astimezone(UTC)
                rec = Recurrence(cron_expression=expression, timezone=name)
                ticks = list(ticks_between(rec, start, end))
                dates = [(tick - timedelta(hours=4)).astimezone(zone).date() for tick in ticks]
                assert len(ticks) == 5, (name, expression, ticks)
                assert len(set(ticks)) == 5 and sorted(dates) == dates
    assert seen > 2000
