"""Which changes of a schedule move its next tick."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neonhub.domain.validation import validate_schedule
from neonhub.models import Schedule
from neonhub.scheduling.planning import plan
from neonhub.scheduling.schedule_body import apply, fields_of_schedule

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = {"interval": "every minute"}


def planned(**body: Any) -> Schedule:
    schedule = Schedule(id="a" * 32, run_count=0)
    apply(schedule, validate_schedule(EVERY_MINUTE | body, now=NOW))
    plan(schedule, None, NOW)
    return schedule


def replanned(schedule: Schedule, **body: Any) -> Schedule:
    before = fields_of_schedule(schedule)
    apply(schedule, validate_schedule(EVERY_MINUTE | body, now=LATER))
    plan(schedule, before, LATER)
    return schedule


def test_the_first_tick_of_an_interval_comes_one_interval_after_creation() -> None:
    schedule = planned()
    assert schedule.anchor_at == schedule.next_tick_at == schedule.next_run_at == NOW + MINUTE


def test_a_start_in_the_past_only_sets_the_grid() -> None:
    assert planned(start_at=NOW - MINUTE / 4).next_tick_at == NOW + MINUTE * 3 / 4


def test_a_start_in_the_future_is_the_first_tick() -> None:
    assert planned(start_at=NOW + 5 * MINUTE).next_tick_at == NOW + 5 * MINUTE


def test_a_disabled_schedule_has_no_tick() -> None:
    assert planned(enabled=False).next_tick_at is None


@pytest.mark.parametrize("change", [{"priority": "LOW"}, {"max_runs": 9}, {"timeout_seconds": 5}])
def test_a_tick_that_is_due_stays_due_after_a_change_of_something_else(
    change: dict[str, Any],
) -> None:
    assert replanned(planned(), **change).next_tick_at == NOW + MINUTE


def test_a_new_interval_forgets_the_old_tick() -> None:
    assert replanned(planned(), interval="10s").next_tick_at == LATER + timedelta(seconds=10)


def test_a_new_start_sets_a_new_grid() -> None:
    start = LATER + timedelta(seconds=7)
    assert replanned(planned(), start_at=start).next_tick_at == start


def test_enabling_again_catches_nothing_up() -> None:
    assert replanned(planned(enabled=False)).next_tick_at == NOW + 2 * MINUTE


def test_an_end_before_the_next_tick_leaves_none() -> None:
    assert (
        replanned(planned(interval="1h"), interval="1h", end_at=LATER + MINUTE).next_tick_at is None
    )
