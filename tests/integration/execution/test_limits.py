"""What is refused, skipped or cut when it grows too large, and what is said then."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from neonhub.database import Database
from neonhub.domain.states import HoldReason, SessionStatus
from neonhub.errors import InvalidInput, QueueFull
from neonhub.execution.session_manager import SessionManager
from neonhub.models import AgentSession, Fleet
from neonhub.scheduling.decide import decide_ticks
from neonhub.scheduling.manual_runs import run_schedule
from neonhub.scheduling.schedule_manager import ScheduleManager
from tests.factories import NOW, add_agent, add_fleet, add_schedule, add_session, reload

MINUTE = timedelta(minutes=1)


@pytest.fixture
def manager(database: Database, redis_connection: Redis) -> SessionManager:
    return SessionManager(database, redis_connection, clock=lambda: NOW)


def limit(database: Database, **limits: Any) -> None:
    with database.begin() as db:
        fleet = db.get_one(Fleet, 1)
        for name, value in limits.items():
            setattr(fleet, name, value)


def test_a_session_too_many_is_refused(database: Database, manager: SessionManager) -> None:
    add_fleet(database, max_queued=2)
    agent, other = add_agent(database), add_agent(database, "other")
    for _ in range(2):
        manager.run_now(agent.slug)
    with pytest.raises(QueueFull, match="2 sessions of agent 'reporter' are queued"):
        manager.run_now(agent.slug)
    assert manager.list_for_agent(agent.slug).total == 2
    manager.run_now(other.slug)


def test_a_repeat_of_what_was_accepted_is_answered_even_when_full(
    database: Database, manager: SessionManager
) -> None:
    add_fleet(database, max_queued=1)
    agent = add_agent(database)
    first = manager.run_now(agent.slug, idempotency_key="k")
    assert manager.run_now(agent.slug, idempotency_key="k").id == first.id


def test_a_retry_or_a_run_of_a_schedule_is_refused_when_full(
    database: Database, manager: SessionManager, redis_connection: Redis
) -> None:
    add_fleet(database, max_queued=1)
    agent = add_agent(database)
    failed = add_session(database, agent, status=SessionStatus.FAILED, finished_at=NOW)
    schedule = add_schedule(database, agent, overlap="ALLOW")
    manager.run_now(agent.slug)
    with pytest.raises(QueueFull):
        manager.retry(failed.id)
    with pytest.raises(QueueFull):
        run_schedule(database, redis_connection, schedule.id, now=NOW)


def test_backfill_that_waits_takes_no_room(database: Database, manager: SessionManager) -> None:
    add_fleet(database, max_queued=1)
    agent = add_agent(database)
    add_session(database, agent, hold_reason=HoldReason.BACKFILL)
    manager.run_now(agent.slug)


def test_an_input_too_large_is_refused_by_its_bytes(
    database: Database, manager: SessionManager
) -> None:
    add_fleet(database, max_input_bytes=20)
    agent = add_agent(database)
    manager.run_now(agent.slug, input={"text": "123456789"})
    with pytest.raises(InvalidInput, match="It has 21 bytes: at most 20 are allowed"):
        manager.run_now(agent.slug, input={"text": "12345678é"})
    schedules = ScheduleManager(database, clock=lambda: NOW)
    body = {"interval": "every hour", "input": {"text": "1234567890"}}
    with pytest.raises(InvalidInput, match="NEONHUB_MAX_INPUT_BYTES"):
        schedules.create_schedule(agent.slug, body)
    assert schedules.get_agent_schedules(agent.slug) == []


@pytest.mark.parametrize("overlap", ["SKIP", "QUEUE_ONE", "ALLOW", "REPLACE"])
def test_a_tick_without_room_is_skipped_with_its_reason(database: Database, overlap: str) -> None:
    add_fleet(database, max_queued=1)
    agent = add_agent(database)
    waiting = add_session(database, agent)
    running = add_session(database, agent, status=SessionStatus.RUNNING, started_at=NOW)
    schedule = add_schedule(database, agent, overlap=overlap, next_tick_at=NOW)
    with database.begin() as db:
        decided = decide_ticks(db, {schedule.id: None}, NOW)
    (move,) = decided.outbox.moves
    assert (decided.fired, move.score) == (0, (NOW + MINUTE).timestamp())
    with database.read() as db:
        row = db.scalars(select(AgentSession).where(AgentSession.tick_at == NOW)).one()
    assert (row.status, row.reason) == (SessionStatus.SKIPPED, "queue_full")
    assert reload(database, waiting).status == SessionStatus.QUEUED
    assert reload(database, running).stop_requested_at is None


def test_schedules_of_one_agent_share_its_room(database: Database) -> None:
    add_fleet(database, max_queued=3)
    agent = add_agent(database)
    schedules = [add_schedule(database, agent, name=f"s{n}", next_tick_at=NOW) for n in range(5)]
    with database.begin() as db:
        assert decide_ticks(db, {each.id: None for each in schedules}, NOW).fired == 3
