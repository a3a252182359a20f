"""How far back an agent's history is kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonhub.domain.retention import JUST_ENDED, Bound, Place, Retention, bound

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OF_AGE = Bound(Place(NOW - 90 * DAY, ""), NOW - 90 * DAY)


def place(ago: timedelta) -> Place:
    return Place(NOW - ago, "a")


@pytest.mark.parametrize(
    ("keep_days", "first_over", "expected"),
    [
        (0, None, None),
        (90, None, OF_AGE),
        (0, place(2 * DAY), Bound(place(2 * DAY), NOW - JUST_ENDED)),
        # The one that reaches further covers the other.
        (90, place(2 * DAY), Bound(place(2 * DAY), NOW - JUST_ENDED)),
        (90, place(91 * DAY), OF_AGE),
        (90, place(timedelta()), Bound(place(timedelta()), NOW - JUST_ENDED)),
    ],
)
def test_the_further_limit_counts(
    keep_days: int, first_over: Place | None, expected: Bound | None
) -> None:
    assert bound(Retention(keep_days, 1), first_over, now=NOW) == expected


def test_without_days_nothing_is_too_old() -> None:
    assert Retention(0, 5).cutoff(NOW) is None
    assert Retention(1, 0).cutoff(NOW) == NOW - DAY


def test_places_are_in_the_order_of_the_history() -> None:
    older, newer = Place(NOW, "a"), Place(NOW, "b")
    assert Place(NOW - HOUR, "z") < older < newer < Place(NOW + HOUR, "a")


@given(
    keep_days=st.integers(0, 36_500),
    minutes_ago=st.none() | st.integers(0, 10**7),
)
def test_what_just_ended_never_goes(keep_days: int, minutes_ago: int | None) -> None:
    over = None if minutes_ago is None else place(timedelta(minutes=minutes_ago))
    found = bound(Retention(keep_days, 1), over, now=NOW)
    assert found is None or found.ended_before <= NOW - JUST_ENDED
