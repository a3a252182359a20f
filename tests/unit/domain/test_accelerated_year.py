"""A thousand schedules live through a year of clock changes and restarts, beside brute force."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from neonhub.domain.cron import Cron, parse_cron
from neonhub.domain.decision import DueSchedule, decide
from neonhub.domain.occurrences import next_tick
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, Overlap, SessionStatus

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + 365 * DAY
ZONES = sorted(available_timezones())
SCHEDULES = 1000


def a_schedule(number: int) -> Recurrence:
    """Mostly a few ticks a day, around the hours that clocks change at."""
    chance = random.Random(number)
    minute = chance.choice(["0", "30", "15", "59", "0,30", "*/20"])
    hour = chance.choice(["0", "1", "2", "3", "23", "0-3", "1,2", "*/8", "2"])
    weekday = chance.choice(["*", "*", "0", "1-5", "6,0"])
    expression = f"{minute} {hour} * * {weekday}"
    return Recurrence(cron_expression=expression, timezone=ZONES[number % len(ZONES)])


def lived_through(rec: Recurrence, chance: random.Random) -> Iterator[datetime]:
    """The ticks that run, with a scheduler that is away now and then for up to three days."""
    first = next_tick(rec, START - timedelta(microseconds=1))
    state = first
    while state is not None and state < END:
        away = chance.random() < 0.03
        now = state + (
            chance.random() * 3 * DAY if away else chance.random() * timedelta(seconds=2)
        )
        due = DueSchedule(
            recurrence=rec,
            next_tick_at=state,
            overlap=Overlap.ALLOW,
            catch_up=CatchUp.ALL,
            catch_up_window_seconds=7 * 86_400,
        )
        decision = decide(due, now, max_rows=chance.choice([1, 3, 100]))
        assert all(row.status is SessionStatus.QUEUED for row in decision.rows)
        yield from (row.tick_at for row in decision.rows)
        state = decision.next_tick_at


def brute_force(cron: Cron, zone: ZoneInfo) -> list[datetime]:
    """Every wall time of the year, tried with every offset the zone has in it."""
    samples = (START - 2 * DAY + n * timedelta(hours=6) for n in range(369 * 4))
    offsets = {sample.astimezone(zone).utcoffset() or timedelta() for sample in samples}
    found: set[datetime] = set()
    day = date(2025, 12, 30)
    while day < date(2027, 1, 3):
        if cron.matches(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    found.update(
                        _instants(cron, datetime.combine(day, time(hour, minute)), zone, offsets)
                    )
        day += DAY
    return sorted(tick for tick in found if START <= tick < END)


def _instants(
    cron: Cron, wall: datetime, zone: ZoneInfo, offsets: set[timedelta]
) -> list[datetime]:
    tried = sorted((wall - offset).replace(tzinfo=UTC) for offset in offsets)
    real = [u for u in tried if u.astimezone(zone).replace(tzinfo=None) == wall]
    if real:
        return real if cron.follows_clock else real[:1]
    return [] if cron.follows_clock else [_after_gap(wall, zone, tried[0])]


def _after_gap(wall: datetime, zone: ZoneInfo, instant: datetime) -> datetime:
    instant -= 3 * timedelta(hours=1)
    while instant.astimezone(zone).replace(tzinfo=None) < wall:
        instant += MINUTE
    return instant


@pytest.mark.parametrize("part", range(10))
def test_a_year_is_what_brute_force_says(part: int) -> None:
    for number in range(part * SCHEDULES // 10, (part + 1) * SCHEDULES // 10):
        rec = a_schedule(number)
        assert rec.cron_expression is not None
        expected = brute_force(parse_cron(rec.cron_expression), rec.zone)
        found = [tick for tick in lived_through(rec, random.Random(number)) if tick < END]
        assert found == expected, (rec.cron_expression, rec.timezone)
