"""Intervals: every form that is understood, every one that isn't."""

import pytest

from neonhub.domain.cron import InvalidSchedule
from neonhub.domain.interval import parse_interval


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("every 30 minutes", 1800),
        ("every 10 seconds", 10),
        ("every 2 hours", 7200),
        ("every day", 86_400),
        ("every minute", 60),
        ("Every 1 Hour", 3600),
        ("every 2 weeks", 1_209_600),
        ("90s", 90),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("45", 45),
        (45, 45),
        (1.5, 1.5),
        (1, 1),
    ],
)
def test_what_is_understood(text: object, seconds: float) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "every", "soon", "10 parsecs", "h", "-5s", "1h30", "0", "500ms", "11 years"),
        *(0, 0.5, -1, True, None, float("nan"), float("inf"), 1e12, 10**400, "1" * 5000, [], {}),
    ],
)
def test_what_is_refused(text: object) -> None:
    with pytest.raises(InvalidSchedule):
        parse_interval(text)
