"""Every clock change, in every hard zone, against a rule that looks at each minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neonhub.domain.cron import parse_cron
from neonhub.domain.occurrences import next_tick, ticks_between
from neonhub.domain.schedule import Recurrence
from tests.examples import EXAMPLES
from tests.unit.domain import oracle

HARD_ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # moves by 30 minutes
    "America/Santiago",  # the gap is at midnight
    "Antarctica/Troll",  # moves by 2 hours
    "Africa/Casablanca",  # negative, around Ramadan
    "Europe/Dublin",  # negative in winter
    "Asia/Kathmandu",  # +05:45
    "Pacific/Chatham",  # +12:45, moves at 02:45
    "UTC",
)
CHANGES = {
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Europe/Dublin": ("2026-03-29", "2026-10-25"),
    "Asia/Kathmandu": ("2026-03-29",),
    "Pacific/Chatham": ("2026-04-05", "2026-09-27"),
    "UTC": ("2026-03-29",),
}
EXPRESSIONS = (
    "30 2 * * *",
    "15 0 * * *",
    "45 23 * * *",
    "0,30 1-3 * * *",
    "*/30 * * * *",
    "*/20 1-3 * * *",
    "15 */2 * * *",
    "0 0-23 * * *",
)


def cron(expression: str, zone: str) -> Recurrence:
    return Recurrence(cron_expression=expression, timezone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize("zone", HARD_ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_around_every_change_the_ticks_are_those_of_the_rule(zone: str, expression: str) -> None:
    for change in CHANGES[zone]:
        start = datetime.fromisoformat(f"{change}T00:00:00Z") - timedelta(days=1)
        end = start + timedelta(days=3)
        expected = oracle.ticks(parse_cron(expression), ZoneInfo(zone), start, end)
        assert list(ticks_between(cron(expression, zone), start, end)) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # the spring gap swallows 02:30: once, right after the gap
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00-05:00", "2026-03-08T03:00-04:00"),
        ("15 0 * * *", "America/Santiago", "2026-09-05T23:00-04:00", "2026-09-06T01:00-03:00"),
        # 01:30 is there twice in autumn: the first one
        ("30 1 * * *", "America/New_York", "2026-11-01T00:00-04:00", "2026-11-01T01:30-04:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"),
        # a wildcard runs in both
        ("30 * * * *", "America/New_York", "2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"),
        # a day that never was
        ("0 9 30 12 *", "Pacific/Apia", "2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00"),
    ],
)
def test_the_named_cases(expression: str, zone: str, after: str, expected: str) -> None:
    assert next_tick(cron(expression, zone), at(after)) == at(expected)


@pytest.mark.parametrize("zone", HARD_ZONES)
def test_a_fixed_daily_job_fires_once_for_each_date_of_six_years(zone: str) -> None:
    for expression in ("30 2 * * *", "15 0 * * *"):
        start = datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        end = datetime(2030, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        found = list(ticks_between(cron(expression, zone), start, end))
        assert len(found) == (date(2030, 1, 1) - date(2024, 1, 1)).days


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        number.map(str),
        pair.map(lambda p: f"{p[0]}-{p[1]}"),
        st.lists(number, min_size=1, max_size=3).map(lambda ns: ",".join(map(str, ns))),
        st.integers(2, 12).map(lambda n: f"*/{n}"),
    )


expressions = st.tuples(fields(0, 59), fields(0, 23), st.just("*"), st.just("*"), fields(0, 6)).map(
    " ".join
)


@settings(max_examples=EXAMPLES)
@given(
    expression=expressions,
    zone=st.sampled_from(HARD_ZONES),
    hours=st.integers(0, 2 * 365 * 24),
)
def test_anywhere_the_ticks_are_those_of_the_rule(expression: str, zone: str, hours: int) -> None:
    start = datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=hours)
    end = start + timedelta(hours=30)
    expected = oracle.ticks(parse_cron(expression), ZoneInfo(zone), start, end)
    assert list(ticks_between(cron(expression, zone), start, end)) == expected
