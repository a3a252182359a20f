"""Schedules are created, changed, read and removed, and their timers follow."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select, update

from neonhub.database import Database
from neonhub.domain.jitter import jitter_for
from neonhub.domain.states import Overlap, Priority, SessionStatus
from neonhub.errors import (
    AgentNotFound,
    Conflict,
    InvalidInput,
    ScheduleNotFound,
    VersionMismatch,
)
from neonhub.models import Agent, Schedule, ScheduleVersion
from neonhub.redis import keys
from neonhub.scheduling.last_runs import last_runs
from neonhub.scheduling.schedule_manager import ScheduleManager
from neonhub.scheduling.schedule_rows import read_agent_schedule, read_schedule
from tests.factories import NOW, add_agent, add_session

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAILY = {"cron_expression": "0 9 * * *"}
EVERY_MINUTE = {"interval": "every minute"}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(database: Database, agent: Agent, redis_connection: Redis, clock: Clock) -> Any:
    return ScheduleManager(database, redis_connection, clock=clock)


def timer(redis: Redis, schedule: Schedule) -> float | None:
    return redis.zscore(keys.TIMERS, f"tick:{schedule.id}")


def versions(database: Database, schedule: Schedule) -> list[ScheduleVersion]:
    mine = ScheduleVersion.schedule_id == schedule.id
    with database.read() as db:
        return list(db.scalars(select(ScheduleVersion).where(mine)))


def test_a_new_schedule_has_its_defaults_and_next_tick(
    database: Database, manager: ScheduleManager
) -> None:
    schedule, created = manager.put_schedule("reporter", DAILY)
    assert created and schedule.version == 1 and schedule.agent.slug == "reporter"
    assert schedule.next_run_at == NOW.replace(hour=9) + timedelta(days=1)
    assert (schedule.name, schedule.priority, schedule.overlap) == (
        "default",
        Priority.NORMAL,
        Overlap.SKIP,
    )
    assert (schedule.max_retries, schedule.timeout_seconds, schedule.enabled) == (3, 600, True)
    assert read_schedule(database, schedule.id).next_run_at == schedule.next_run_at


def test_the_default_of_retries_is_a_setting(database: Database, agent: Agent) -> None:
    assert (
        ScheduleManager(database, max_retries=7).create_schedule("reporter", DAILY).max_retries == 7
    )


def test_the_timer_is_set_at_once(manager: ScheduleManager, redis_connection: Redis) -> None:
    schedule = manager.create_schedule("reporter", EVERY_MINUTE)
    assert timer(redis_connection, schedule) == (NOW + MINUTE).timestamp()


def test_an_equal_body_changes_nothing_whatever_the_clock_says(
    manager: ScheduleManager, clock: Clock, database: Database
) -> None:
    body = {"run_at": NOW + SECOND, "input": {"a": 1}}
    first = manager.create_schedule("reporter", body)
    clock.now = NOW + HOUR
    again, created = manager.put_schedule("reporter", body)
    assert not created
    assert (again.version, again.updated_at, again.next_tick_at) == (1, NOW, NOW + SECOND)
    assert len(versions(database, first)) == 1


def test_what_a_post_leaves_out_gets_its_default(manager: ScheduleManager) -> None:
    manager.create_schedule("reporter", {**DAILY, "priority": "LOW", "timeout_seconds": 5})
    schedule, created = manager.put_schedule("reporter", DAILY)
    assert not created
    assert (schedule.version, schedule.priority, schedule.timeout_seconds) == (2, "NORMAL", 600)


def test_a_patch_changes_single_fields(manager: ScheduleManager) -> None:
    schedule = manager.create_schedule("reporter", {**DAILY, "priority": "LOW"})
    changed = manager.update_schedule(schedule.id, {"timeout_seconds": 5})
    assert (changed.priority, changed.timeout_seconds, changed.version) == ("LOW", 5, 2)
    assert changed.priority_rank == 3


def test_each_change_keeps_what_was_in_force(
    manager: ScheduleManager, database: Database, clock: Clock
) -> None:
    schedule = manager.create_schedule("reporter", EVERY_MINUTE)
    clock.now = NOW + SECOND
    manager.update_schedule(schedule.id, {"interval": "every hour"})
    first, second = versions(database, schedule)
    assert (first.valid_from, second.valid_from) == (NOW, NOW + SECOND)
    assert first.body["interval"] == "every minute"
    assert second.body["anchorAt"] == (NOW + SECOND + HOUR).isoformat()


@pytest.mark.parametrize(
    "change",
    [{"priority": "HIGH"}, {"input": {"a": 1}}, {"overlap": "ALLOW"}, {"interval": "60s"}],
)
def test_a_change_of_anything_but_time_keeps_the_next_tick(
    manager: ScheduleManager, clock: Clock, change: dict[str, Any]
) -> None:
    schedule = manager.create_schedule("reporter", EVERY_MINUTE)
    clock.now = NOW + 90 * SECOND
    changed = manager.update_schedule(schedule.id, change)
    assert changed.version == 2
    assert (changed.next_tick_at, changed.anchor_at) == (NOW + MINUTE, NOW + MINUTE)


def test_a_new_interval_counts_from_the_edit(
    manager: ScheduleManager, clock: Clock, redis_connection: Redis
) -> None:
    schedule = manager.create_schedule("reporter", EVERY_MINUTE)
    clock.now = NOW + 30 * SECOND
    changed = manager.update_schedule(schedule.id, {"interval": "10s"})
    assert changed.next_tick_at == NOW + 40 * SECOND
    assert timer(redis_connection, schedule) == (NOW + 40 * SECOND).timestamp()


def test_a_new_zone_counts_from_now(manager: ScheduleManager) -> None:
    schedule = manager.create_schedule("reporter", {"cron_expression": "0 14 * * *"})
    assert schedule.next_tick_at == NOW + 2 * HOUR
    changed = manager.update_schedule(schedule.id, {"timezone": "Europe/Berlin"})
    assert changed.next_tick_at == NOW + HOUR


def test_a_new_recurrence_takes_the_place_of_the_old_one(manager: ScheduleManager) -> None:
    schedule = manager.create_schedule("reporter", {**DAILY, "timezone": "Europe/Berlin"})
    changed = manager.update_schedule(schedule.id, {"interval": "1h"})
    assert (changed.cron_expression, changed.timezone) == (None, "UTC")
    assert (changed.interval_seconds, changed.next_tick_at) == (3600.0, NOW + HOUR)


@pytest.mark.parametrize(
    ("start_at", "first"),
    [(NOW + 5 * SECOND, NOW + 5 * SECOND), (NOW - 10 * SECOND, NOW + 50 * SECOND)],
)
def test_a_start_anchors_the_grid(
    manager: ScheduleManager, start_at: datetime, first: datetime
) -> None:
    schedule = manager.create_schedule("reporter", {**EVERY_MINUTE, "start_at": start_at})
    assert (schedule.anchor_at, schedule.next_tick_at) == (start_at, first)


def test_a_new_end_keeps_a_tick_that_is_due(manager: ScheduleManager, clock: Clock) -> None:
    schedule = manager.create_schedule("reporter", DAILY)
    clock.now = NOW + timedelta(days=2)
    later = clock.now + timedelta(days=1)
    assert manager.update_schedule(schedule.id, {"end_at": later}).next_tick_at == (
        schedule.next_tick_at
    )


def test_after_its_end_nothing_is_due(
    manager: ScheduleManager, clock: Clock, redis_connection: Redis
) -> None:
    """Switched on again it is taken, though its time is over."""
    body = {**DAILY, "end_at": NOW + timedelta(days=2), "enabled": False}
    schedule = manager.create_schedule("reporter", body)
    clock.now = NOW + timedelta(days=3)
    schedule = manager.update_schedule(schedule.id, {"enabled": True})
    assert schedule.next_run_at is None
    assert timer(redis_connection, schedule) is None


def test_jitter_carries_nothing_past_the_end(manager: ScheduleManager) -> None:
    end = NOW + 90 * MINUTE
    body = {"interval": "1h", "jitter_seconds": 3599, "end_at": end}
    for _ in range(10):  # each has another id, and so another jitter
        schedule = manager.create_schedule("reporter", body)
        jitter = jitter_for(schedule.id, 3599)
        moved = NOW + HOUR + jitter
        assert schedule.next_run_at == (moved if moved <= end else None)


def test_switching_off_removes_the_timer_and_on_counts_from_now(
    manager: ScheduleManager, clock: Clock, redis_connection: Redis
) -> None:
    schedule = manager.create_schedule("reporter", EVERY_MINUTE)
    assert manager.update_schedule(schedule.id, {"enabled": False}).next_run_at is None
    assert timer(redis_connection, schedule) is None
    clock.now = NOW + 90 * SECOND
    assert manager.update_schedule(schedule.id, {"enabled": True}).next_tick_at == NOW + 2 * MINUTE


def test_more_runs_than_allowed_are_never_due(manager: ScheduleManager, database: Database) -> None:
    schedule = manager.create_schedule("reporter", {**EVERY_MINUTE, "max_runs": 5})
    with database.begin() as db:
        db.execute(update(Schedule).values(run_count=2))
    assert manager.update_schedule(schedule.id, {"max_runs": 2}).next_run_at is None
    assert manager.update_schedule(schedule.id, {"max_runs": 3}).next_run_at == NOW + MINUTE


def test_jitter_moves_the_next_run_by_the_same_amount(manager: ScheduleManager) -> None:
    schedule = manager.create_schedule("reporter", {**DAILY, "jitter_seconds": 600})
    assert schedule.next_run_at is not None and schedule.next_tick_at is not None
    moved = schedule.next_run_at - schedule.next_tick_at
    assert timedelta(0) < moved < timedelta(minutes=10)
    assert manager.update_schedule(schedule.id, {"jitter_seconds": 0}).next_run_at == (
        schedule.next_tick_at
    )


def test_an_edit_of_another_version_is_refused(manager: ScheduleManager) -> None:
    schedule = manager.create_schedule("reporter", DAILY)
    manager.update_schedule(schedule.id, {"priority": "LOW"}, if_match={1})
    with pytest.raises(VersionMismatch, match="current one, 2"):
        manager.update_schedule(schedule.id, {"priority": "HIGH"}, if_match={1})
    with pytest.raises(VersionMismatch):
        manager.put_schedule("reporter", DAILY, if_match={1})
    with pytest.raises(VersionMismatch):
        manager.put_schedule("reporter", {**DAILY, "name": "new"}, if_match={1})
    with pytest.raises(VersionMismatch):
        manager.delete_schedule(schedule.id, if_match={1})


def test_schedules_of_one_agent_are_told_apart_by_name(
    database: Database, manager: ScheduleManager
) -> None:
    manager.create_schedule("reporter", DAILY)
    manager.create_schedule("reporter", {**DAILY, "name": "again"})
    names = [schedule.name for schedule in manager.get_agent_schedules("reporter")]
    assert names == ["again", "default"]
    assert read_agent_schedule(database, "reporter", "again").name == "again"
    page = manager.list_schedules("reporter", page=2, page_size=1)
    assert (page.total, [schedule.name for schedule in page.items]) == (2, ["default"])


def test_a_schedule_can_be_renamed_but_not_to_a_taken_name(manager: ScheduleManager) -> None:
    manager.create_schedule("reporter", DAILY)
    other = manager.create_schedule("reporter", {**DAILY, "name": "other"})
    assert manager.update_schedule(other.id, {"name": "third"}).version == 2
    with pytest.raises(Conflict, match="another schedule named 'default'"):
        manager.update_schedule(other.id, {"name": "default"})


def test_a_removed_schedule_is_gone_and_its_name_free(
    database: Database, manager: ScheduleManager, redis_connection: Redis
) -> None:
    schedule = manager.create_schedule("reporter", DAILY)
    manager.delete_schedule(schedule.id)
    assert timer(redis_connection, schedule) is None
    for call in (partial(read_schedule, database), manager.delete_schedule):
        with pytest.raises(ScheduleNotFound):
            call(schedule.id)
    assert manager.put_schedule("reporter", DAILY)[1]


def test_an_unknown_agent_has_no_schedules(manager: ScheduleManager) -> None:
    calls: list[Callable[[], object]] = [
        lambda: manager.create_schedule("nobody", DAILY),
        lambda: manager.get_agent_schedules("nobody"),
        lambda: manager.list_schedules("nobody"),
    ]
    for call in calls:
        with pytest.raises(AgentNotFound):
            call()


def test_an_agent_without_the_schedule_says_so(
    database: Database, manager: ScheduleManager
) -> None:
    with pytest.raises(ScheduleNotFound):
        read_agent_schedule(database, "reporter")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "cronExpression"),
        ({"cron_expression": "0 0 31 2 *"}, "cronExpression"),
        ({"cron_expression": ",".join("0" * 200) + " * * * *"}, "cronExpression"),
        ({**DAILY, "interval": "1h"}, "interval"),
        ({**DAILY, "colour": "red"}, "colour"),
        ({**DAILY, "name": ""}, None),
        ({**DAILY, "name": "a\x00b"}, "name"),
        ({**DAILY, "name": "n" * 101}, "name"),
        ({**DAILY, "name": 5}, "name"),
        ({**DAILY, "input": {"a": float("nan")}}, "input"),
        ({**DAILY, "end_at": NOW}, "endAt"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    manager: ScheduleManager, database: Database, body: dict[str, Any], field: str | None
) -> None:
    if field is None:
        assert manager.create_schedule("reporter", body).name == "default"
        return
    with pytest.raises(InvalidInput) as refused:
        manager.create_schedule("reporter", body)
    assert field in refused.value.errors
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(Schedule)) == 0


def test_two_who_create_the_same_get_one_schedule(
    manager: ScheduleManager, database: Database
) -> None:
    together = threading.Barrier(2)
    results: list[bool] = []

    def put(priority: str) -> None:
        together.wait()
        results.append(manager.put_schedule("reporter", {**DAILY, "priority": priority})[1])

    threads = [threading.Thread(target=put, args=(name,)) for name in ("LOW", "HIGH")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]
    assert read_agent_schedule(database, "reporter").version == 2


def test_schedules_that_fire_are_listed_the_next_first(
    manager: ScheduleManager, database: Database
) -> None:
    add_agent(database, "second")
    manager.create_schedule("reporter", {"interval": "1h"})
    manager.create_schedule("second", {"interval": "1m"})
    manager.create_schedule("second", {**DAILY, "name": "off", "enabled": False})
    assert [s.agent.slug for s in manager.get_due_schedules()] == ["second", "reporter"]


def test_redis_away_is_no_reason_to_refuse(
    database: Database, agent: Agent, clock: Clock, away_redis: Redis
) -> None:
    manager = ScheduleManager(database, away_redis, clock=clock)
    schedule = manager.create_schedule("reporter", DAILY)
    assert read_schedule(database, schedule.id).version == 1


def test_an_expression_is_described_or_refused(manager: ScheduleManager) -> None:
    assert manager.validate_cron_expression("0 9 * * 1-5") == "At 09:00, Monday through Friday"
    with pytest.raises(InvalidInput) as refused:
        manager.validate_cron_expression("0 9 * *")
    assert "cronExpression" in refused.value.errors


def test_the_last_run_is_the_newest_that_started(
    manager: ScheduleManager, database: Database, agent: Agent
) -> None:
    ran, never = (
        manager.create_schedule("reporter", {**DAILY, "name": name}) for name in ("ran", "never")
    )
    for minutes, status in enumerate((SessionStatus.FAILED, SessionStatus.RUNNING)):
        at = NOW + minutes * MINUTE
        ended = at if status == SessionStatus.FAILED else None
        values = {"status": status, "queued_at": at, "started_at": at, "finished_at": ended}
        add_session(database, agent, schedule_id=ran.id, **values)
    add_session(database, agent, schedule_id=ran.id, queued_at=NOW + HOUR)
    found = last_runs(database, [ran.id, never.id])
    assert set(found) == {ran.id}
    assert (found[ran.id].started_at, found[ran.id].status) == (NOW + MINUTE, "RUNNING")
    assert last_runs(database, []) == {}
