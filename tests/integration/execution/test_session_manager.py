"""Run now, read, stop and retry, as the API and Python callers use them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from neonhub.database import Database
from neonhub.domain.states import HoldReason, Priority, SessionStatus, Trigger
from neonhub.errors import (
    AgentNotFound,
    InvalidInput,
    SessionEnded,
    SessionNotFound,
    SessionNotRetryable,
)
from neonhub.execution.session_manager import SessionManager
from neonhub.models import Agent, SessionEvent
from neonhub.redis.connect import connect
from neonhub.redis.keys import STOP_PREFIX, TIMERS
from tests.factories import NOW, add_schedule, add_session, reload


@pytest.fixture
def manager(database: Database, redis_connection: Redis) -> SessionManager:
    return SessionManager(database, redis_connection, clock=lambda: NOW)


def queue_length(redis: Redis, name: str) -> int:
    return int(redis.llen(f"rq:queue:{name}"))


def test_run_now_puts_a_session_on_its_queue(
    manager: SessionManager, agent: Agent, redis_connection: Redis
) -> None:
    session = manager.run_now(agent.slug, input={"a": 1}, priority=Priority.CRITICAL)
    assert (session.status, session.trigger) == (SessionStatus.QUEUED, Trigger.MANUAL)
    assert manager.get(session.id).input == {"a": 1}
    assert queue_length(redis_connection, "critical") == 1


def test_run_now_of_an_unknown_agent_is_refused(manager: SessionManager, agent: Agent) -> None:
    with pytest.raises(AgentNotFound, match="'nobody'"):
        manager.run_now("nobody")


def test_a_repeat_with_the_same_key_answers_the_first_session(
    manager: SessionManager, agent: Agent
) -> None:
    first = manager.run_now(agent.slug, input={"a": 1}, idempotency_key="k")
    again = manager.run_now(agent.slug, input={"a": 1}, idempotency_key="k")
    assert first.id == again.id


def test_repeats_at_the_same_time_make_one_session(manager: SessionManager, agent: Agent) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: manager.run_now(agent.slug, idempotency_key="k").id, range(8))
        assert len(set(made)) == 1


def test_the_same_key_with_another_body_is_refused(manager: SessionManager, agent: Agent) -> None:
    manager.run_now(agent.slug, input={"a": 1}, idempotency_key="k")
    with pytest.raises(InvalidInput, match="another body"):
        manager.run_now(agent.slug, input={"a": 2}, idempotency_key="k")


def test_a_key_is_forgotten_after_a_day(
    database: Database, redis_connection: Redis, agent: Agent
) -> None:
    first = SessionManager(database, redis_connection, clock=lambda: NOW)
    next_day = SessionManager(
        database, redis_connection, clock=lambda: NOW + timedelta(hours=24, seconds=1)
    )
    made = [m.run_now(agent.slug, idempotency_key="k").id for m in (first, next_day)]
    assert made[0] != made[1]


def test_run_now_works_while_redis_is_away(database: Database, agent: Agent) -> None:
    manager = SessionManager(database, connect("redis://127.0.0.1:1/0"), clock=lambda: NOW)
    session = manager.run_now(agent.slug)
    assert reload(database, session).status == SessionStatus.QUEUED


def test_sessions_are_listed_newest_first(manager: SessionManager, agent: Agent) -> None:
    ids = [manager.run_now(agent.slug).id for _ in range(3)]
    page = manager.list_for_agent(agent.slug, page=1, page_size=2)
    assert [session.id for session in page.items] == ids[:0:-1]
    assert page.total == 3


def test_lists_are_filtered(database: Database, manager: SessionManager, agent: Agent) -> None:
    add_session(database, agent, queued_at=NOW - timedelta(hours=2))
    mine = add_session(
        database, agent, queued_at=NOW, status=SessionStatus.COMPLETED, finished_at=NOW
    )
    found = manager.list_for_agent(
        agent.slug, status=SessionStatus.COMPLETED, trigger=Trigger.MANUAL, since=NOW
    )
    assert [session.id for session in found.items] == [mine.id]
    assert manager.list_for_agent(agent.slug, until=NOW).total == 1


@pytest.mark.parametrize("status", [SessionStatus.QUEUED, SessionStatus.RETRYING])
def test_a_waiting_session_stops_at_once(
    database: Database, manager: SessionManager, agent: Agent, status: SessionStatus
) -> None:
    next_at = NOW if status is SessionStatus.RETRYING else None
    session = add_session(database, agent, status=status, next_attempt_at=next_at)
    assert manager.stop(session.id).status == SessionStatus.STOPPED
    assert reload(database, session).finished_at == NOW


def test_stopping_a_retrying_session_removes_its_timer(
    database: Database, manager: SessionManager, agent: Agent, redis_connection: Redis
) -> None:
    session = add_session(database, agent, status=SessionStatus.RETRYING, next_attempt_at=NOW)
    redis_connection.zadd(TIMERS, {f"retry:{session.id}": NOW.timestamp()})
    manager.stop(session.id)
    assert redis_connection.zcard(TIMERS) == 0


def test_a_running_session_is_asked_to_stop_and_asking_again_is_harmless(
    database: Database, manager: SessionManager, agent: Agent, redis_connection: Redis
) -> None:
    session = add_session(database, agent, status=SessionStatus.RUNNING)
    for _ in range(3):
        assert manager.stop(session.id).status == SessionStatus.RUNNING
    assert redis_connection.exists(STOP_PREFIX + session.id)
    assert reload(database, session).stop_requested_at == NOW


def test_stopping_an_ended_session_is_a_conflict(
    database: Database, manager: SessionManager, agent: Agent
) -> None:
    session = add_session(database, agent, status=SessionStatus.COMPLETED, finished_at=NOW)
    with pytest.raises(SessionEnded, match="COMPLETED"):
        manager.stop(session.id)


def test_a_stop_is_told_once(database: Database, manager: SessionManager, agent: Agent) -> None:
    session = add_session(database, agent)
    manager.stop(session.id)
    with database.read() as db:
        [row] = db.query(SessionEvent).all()
        assert (row.event, row.data["status"], row.data["willRetry"]) == (
            "agent:failed",
            "STOPPED",
            False,
        )


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
def test_a_retry_is_a_new_session_with_the_same_input(
    database: Database, manager: SessionManager, agent: Agent, status: str
) -> None:
    old = add_session(database, agent, status=status, finished_at=NOW, input={"a": 1})
    new = manager.retry(old.id)
    assert new.id != old.id
    assert (new.trigger, new.input, new.status) == (Trigger.RETRY, {"a": 1}, SessionStatus.QUEUED)


@pytest.mark.parametrize("status", ["COMPLETED", "SKIPPED", "MISSED"])
def test_only_failed_and_stopped_sessions_can_be_retried(
    database: Database, manager: SessionManager, agent: Agent, status: str
) -> None:
    old = add_session(database, agent, status=status, finished_at=NOW)
    with pytest.raises(SessionNotRetryable, match=status):
        manager.retry(old.id)


def test_a_retry_waits_while_its_schedule_runs(
    database: Database, manager: SessionManager, agent: Agent
) -> None:
    schedule = add_schedule(database, agent)
    add_session(database, agent, schedule_id=schedule.id, status=SessionStatus.RUNNING)
    old = add_session(
        database, agent, schedule_id=schedule.id, status=SessionStatus.FAILED, finished_at=NOW
    )
    assert manager.retry(old.id).hold_reason == HoldReason.OVERLAP


@pytest.mark.parametrize("call", [SessionManager.get, SessionManager.stop, SessionManager.retry])
def test_an_unknown_session_is_not_found(
    manager: SessionManager, call: Callable[[SessionManager, str], object]
) -> None:
    with pytest.raises(SessionNotFound, match="'nothing'"):
        call(manager, "nothing")
