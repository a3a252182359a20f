"""Next, newest, all and how many agree with each other for every kind of schedule."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neonhub.domain.occurrences import count_ticks, latest_tick, next_tick, ticks_between
from neonhub.domain.schedule import Recurrence
from tests.examples import EXAMPLES

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Chatham")
CRONS = ("*/7 * * * *", "30 2 * * *", "0 9 * * 1-5", "15 1,2,3 * * *", "0 0 1 * *", "@hourly")


def recurrence(**fields: Any) -> Recurrence:
    """Of the class itself Hypothesis would make up the fields that are not given."""
    return Recurrence(**fields)


instants = st.integers(0, 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
windows = st.one_of(st.none(), instants)
crons = st.builds(
    recurrence,
    cron_expression=st.sampled_from(CRONS),
    timezone=st.sampled_from(ZONES),
    start_at=windows,
    end_at=windows,
)
intervals = st.builds(
    recurrence,
    interval_seconds=st.floats(60, 90_000),
    anchor=instants,
    start_at=windows,
    end_at=windows,
)
moments = st.builds(recurrence, run_at=instants, start_at=windows, end_at=windows)
recurrences = st.one_of(crons, intervals, moments)


@settings(max_examples=EXAMPLES)
@given(rec=recurrences, after=instants)
def test_the_next_tick_is_later_and_the_newest_before_it_is_not(
    rec: Recurrence, after: datetime
) -> None:
    tick = next_tick(rec, after)
    newest = latest_tick(rec, after)
    assert tick is None or tick > after
    assert newest is None or newest <= after
    if tick is not None:
        assert latest_tick(rec, tick) == tick
        assert latest_tick(rec, tick - timedelta(microseconds=1)) == newest


@settings(max_examples=EXAMPLES)
@given(rec=recurrences, start=instants, hours=st.integers(0, 100))
def test_counting_equals_listing(rec: Recurrence, start: datetime, hours: int) -> None:
    end = start + timedelta(hours=hours)
    listed = list(ticks_between(rec, start, end))
    assert all(one < other for one, other in pairwise(listed))
    assert count_ticks(rec, start, end) == len(listed)


@settings(max_examples=EXAMPLES)
@given(rec=recurrences, start=instants, cut=st.integers(0, 200))
def test_a_chain_begun_anywhere_continues_the_same(
    rec: Recurrence, start: datetime, cut: int
) -> None:
    whole = list(ticks_between(rec, start, start + timedelta(hours=48)))
    middle = start + timedelta(minutes=cut)
    assert list(ticks_between(rec, middle, start + timedelta(hours=48))) == [
        tick for tick in whole if tick >= middle
    ]


@given(rec=recurrences, at=instants)
def test_nothing_fires_outside_its_window(rec: Recurrence, at: datetime) -> None:
    for tick in (next_tick(rec, at), latest_tick(rec, at)):
        if tick is not None:
            assert rec.start_at is None or tick >= rec.start_at
            assert rec.end_at is None or tick <= rec.end_at


def test_a_year_of_seconds_is_counted_without_listing() -> None:
    rec = Recurrence(interval_seconds=1, anchor=START)
    assert count_ticks(rec, START, START + timedelta(days=365)) == 31_536_000


def test_a_late_look_shifts_nothing() -> None:
    rec = Recurrence(interval_seconds=90, anchor=START)
    assert next_tick(rec, START + timedelta(seconds=100)) == START + timedelta(seconds=180)


def test_an_interval_never_drifts_by_a_fraction() -> None:
    rec = Recurrence(interval_seconds=1.1, anchor=START)
    assert next_tick(rec, START + timedelta(seconds=1.1 * 10_000_000)) == START + timedelta(
        seconds=11_000_001.1
    )


@pytest.mark.parametrize("day", [1, 31])
def test_leap_days_come_around(day: int) -> None:
    rec = Recurrence(cron_expression="0 0 29 2 *")
    after = datetime(2026, 1, day, tzinfo=UTC)
    assert next_tick(rec, after) == datetime(2028, 2, 29, tzinfo=UTC)
