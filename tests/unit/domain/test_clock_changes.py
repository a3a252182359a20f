"""What is said of a tick that a change of the clock moves, merges or repeats."""

from datetime import UTC, datetime

import pytest

from neonhub.domain.clock_changes import note_on
from neonhub.domain.occurrences import next_tick
from neonhub.domain.schedule import Recurrence

NEW_YORK = "America/New_York"
SPRING = "2026-03-08T05:00:00Z"  # midnight in New York
AUTUMN = "2026-11-01T04:00:00Z"


@pytest.mark.parametrize(
    ("expression", "zone", "after", "note"),
    [
        ("30 2 * * *", NEW_YORK, SPRING, "02:30 does not exist, {forward}, and runs right after."),
        (
            "15,45 2 * * *",
            NEW_YORK,
            SPRING,
            "02:15, 02:45 do not exist, {forward}, and run once, right after.",
        ),
        (
            "0 2,3 * * *",
            NEW_YORK,
            SPRING,
            "02:00 does not exist, {forward}, and is one with this run.",
        ),
        (
            "0,30 2,3 * * *",
            NEW_YORK,
            SPRING,
            "02:00, 02:30 do not exist, {forward}, and are one with this run.",
        ),
        (
            "0-59 2 * * *",
            NEW_YORK,
            SPRING,
            "02:00, 02:01, 02:02, 02:03, 02:04 and 55 more do not exist, {forward}, "
            "and run once, right after.",
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            "2026-04-23T12:00:00Z",
            "00:00 does not exist, {forward}, and runs right after.",
        ),
        ("30 1 * * *", NEW_YORK, AUTUMN, "01:30 comes twice, {back}; it runs the first time only."),
        (
            "30 * * * *",
            NEW_YORK,
            "2026-11-01T05:00:00Z",
            "01:30 comes twice, {back}; this is the first time.",
        ),
        (
            "30 * * * *",
            NEW_YORK,
            "2026-11-01T06:00:00Z",
            "01:30 comes twice, {back}; this is the second time.",
        ),
        ("30 4 * * *", NEW_YORK, SPRING, None),
        ("*/10 3 * * *", NEW_YORK, SPRING, None),
        ("30 2 * * *", "UTC", SPRING, None),
    ],
)
def test_a_tick_near_a_change(expression: str, zone: str, after: str, note: str | None) -> None:
    rec = Recurrence(cron_expression=expression, timezone=zone)
    tick = next_tick(rec, datetime.fromisoformat(after))
    assert tick is not None
    words = {"forward": "as the clocks go forward", "back": "as the clocks go back"}
    assert note_on(rec, tick) == (note and note.format(**words))


def test_an_interval_knows_no_wall_clock() -> None:
    noon = datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert note_on(Recurrence(interval_seconds=60, anchor=noon), noon) is None
