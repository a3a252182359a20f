"""The newest tick at an instant, through the edits of a schedule."""

from datetime import UTC, datetime, timedelta

import pytest

from neonhub.domain.history import Version, newest_tick
from neonhub.domain.schedule import Recurrence

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURLY = Recurrence(cron_expression="0 * * * *")
HALF_PAST = Recurrence(cron_expression="30 * * * *")


def at(text: str) -> datetime:
    hour, minute = text.split(":")
    return NOON.replace(hour=int(hour), minute=int(minute))


def version(since: str, rec: Recurrence = HOURLY, **more: object) -> Version:
    return Version(at(since), rec, **more)  # type: ignore[arg-type]


CREATED = version("12:10")


@pytest.mark.parametrize(
    ("versions", "asked", "tick"),
    [
        ([CREATED], "13:00", "13:00"),
        ([CREATED], "13:59", "13:00"),
        ([CREATED], "12:59", None),  # 12:00 was before its creation
        ([CREATED], "12:05", None),
        ([version("12:00")], "12:30", None),  # created at the tick, which is not its own any more
        # Another expression begins with its first tick after the edit.
        ([CREATED, version("14:10", HALF_PAST)], "14:29", "14:00"),
        ([CREATED, version("14:10", HALF_PAST)], "14:30", "14:30"),
        ([CREATED, version("14:10", HALF_PAST)], "13:45", "13:00"),
        # An edit of something else goes on where it was.
        ([CREATED, version("14:10"), version("14:20")], "14:30", "14:00"),
        ([CREATED, version("14:10"), version("14:20")], "15:30", "15:00"),
        # Switched off from 13:30 to 15:30.
        ([CREATED, version("13:30", enabled=False), version("15:30")], "15:45", "13:00"),
        ([CREATED, version("13:30", enabled=False), version("15:30")], "16:00", "16:00"),
        # Two edits at the same instant: the later one counts.
        ([CREATED, version("14:10", HALF_PAST), version("14:10")], "14:40", "14:00"),
    ],
)
def test_edits(versions: list[Version], asked: str, tick: str | None) -> None:
    found = newest_tick(versions, at(asked))
    assert (found and found.at) == (tick and at(tick))


def test_jitter_moves_a_tick() -> None:
    versions = [version("12:10", jitter=5 * MINUTE)]
    assert newest_tick(versions, at("13:04")) is None
    found = newest_tick(versions, at("13:05"))
    assert found is not None
    assert (found.at, found.scheduled_for) == (at("13:00"), at("13:05"))


def test_an_edit_between_a_tick_and_its_moved_time() -> None:
    five = 5 * MINUTE
    same = [version("12:10", jitter=five), version("13:02", jitter=five)]
    found = newest_tick(same, at("13:05"))
    assert found is not None and found.at == at("13:00")
    other_grid = [version("12:10", HALF_PAST, jitter=five), version("13:02", jitter=five)]
    found = newest_tick(other_grid, at("13:05"))
    assert found is not None and found.at == at("12:30")
