"""What a crash left behind is put right."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from neonhub.database import Database
from neonhub.domain.states import QUEUES, HoldReason, SessionStatus
from neonhub.execution import lifeline as lifeline_module
from neonhub.execution.lifeline import Lifeline
from neonhub.models import Agent, SessionEvent
from neonhub.redis.connect import connect
from neonhub.redis.keys import EVENTS_STREAM
from neonhub.redis.queues import Job, hand_over
from tests.factories import NOW, add_schedule, add_session, reload
from tests.turns import claim

LEASE = timedelta(seconds=15)
LATER = NOW + timedelta(seconds=16)


@pytest.fixture
def lifeline(database: Database, redis_connection: Redis) -> Lifeline:
    """One that has seen the database for a whole lease already."""
    lifeline = Lifeline(database, redis_connection)
    lifeline.step(NOW)
    return lifeline


def jobs(redis: Redis) -> list[bytes]:
    return redis.lrange("rq:queue:normal", 0, -1)  # type: ignore[return-value]


def test_an_attempt_whose_lease_ended_starts_again(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    session = add_session(database, agent)
    claim(database, session.id, attempt=1, worker="dead", now=NOW)
    lifeline.step(LATER)
    again = reload(database, session)
    assert (again.status, again.attempt, again.losses) == (SessionStatus.QUEUED, 2, 1)
    assert jobs(redis_connection) == [f"{session.id}-2-2".encode()]


def test_a_renewed_lease_is_left_alone(
    database: Database, agent: Agent, lifeline: Lifeline
) -> None:
    session = add_session(database, agent)
    claim(database, session.id, attempt=1, worker="alive", now=NOW + timedelta(seconds=5))
    lifeline.step(LATER)
    assert reload(database, session).status == SessionStatus.RUNNING


def test_nobody_is_lost_before_the_database_was_seen_for_a_lease(
    database: Database, agent: Agent, redis_connection: Redis
) -> None:
    session = add_session(database, agent)
    claim(database, session.id, attempt=1, worker="cut off", now=NOW)
    fresh = Lifeline(database, redis_connection)
    fresh.step(LATER)
    fresh.step(LATER + LEASE - timedelta(seconds=1))
    assert reload(database, session).status == SessionStatus.RUNNING
    fresh.step(LATER + LEASE)
    assert reload(database, session).status == SessionStatus.QUEUED


def test_a_queued_session_on_no_queue_is_pushed_again(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    session = add_session(database, agent)
    lifeline.step(NOW + timedelta(seconds=6))
    assert jobs(redis_connection) == [f"{session.id}-1-2".encode()]


def test_a_session_on_its_queue_is_not_pushed_again(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    add_session(database, agent)
    for seconds in (6, 12, 18):
        lifeline.step(NOW + timedelta(seconds=seconds))
    assert len(jobs(redis_connection)) == 1


def test_the_queues_are_read_once_however_many_wait(
    database: Database,
    agent: Agent,
    lifeline: Lifeline,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifeline_module, "PAGE_SIZE", 2)
    sessions = [add_session(database, agent) for _ in range(7)]
    hand_over(redis_connection, [Job(each.id, 1, 1, "normal") for each in sessions])
    redis_connection.config_resetstat()
    lifeline.step(NOW + timedelta(seconds=6))
    asked: Any = redis_connection.info("commandstats")
    assert asked["cmdstat_lrange"]["calls"] == len(QUEUES)
    assert len(jobs(redis_connection)) == len(sessions)


def test_everything_queued_comes_back_after_redis_was_emptied(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    sessions = [add_session(database, agent) for _ in range(30)]
    lifeline.step(NOW + timedelta(seconds=6))
    redis_connection.flushall()
    lifeline.step(NOW + timedelta(seconds=12))
    assert {job.decode()[:32] for job in jobs(redis_connection)} == {s.id for s in sessions}


def test_a_session_held_for_a_slot_that_is_free_is_released(
    database: Database, agent: Agent, lifeline: Lifeline
) -> None:
    session = add_session(database, agent, hold_reason=HoldReason.SLOT)
    lifeline.step(NOW)
    assert reload(database, session).hold_reason is None


def test_a_session_held_for_one_that_is_gone_is_released(
    database: Database, agent: Agent, lifeline: Lifeline
) -> None:
    schedule = add_schedule(database, agent)
    held = {"schedule_id": schedule.id, "scheduled_for": NOW}
    session = add_session(database, agent, hold_reason=HoldReason.OVERLAP, **held)
    lifeline.step(NOW)
    assert reload(database, session).hold_reason is None


def test_an_event_that_was_never_published_is_published_once(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    session = add_session(database, agent)
    claim(database, session.id, attempt=1, worker="w", now=NOW)  # its outbox is lost
    for seconds in (4, 6, 8):
        lifeline.step(NOW + timedelta(seconds=seconds))
    assert redis_connection.xlen(EVENTS_STREAM) == 1


def test_an_agents_own_log_lines_are_never_published(
    database: Database, agent: Agent, lifeline: Lifeline, redis_connection: Redis
) -> None:
    session = add_session(database, agent, status=SessionStatus.COMPLETED, finished_at=NOW)
    with database.begin() as db:
        db.add(
            SessionEvent(
                session_id=session.id, type="agent:started", data={}, created_at=NOW, event=None
            )
        )
    lifeline.step(NOW + timedelta(seconds=4))
    assert redis_connection.xlen(EVENTS_STREAM) == 0


def test_leases_are_judged_while_redis_is_away(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    claim(database, session.id, attempt=1, worker="dead", now=NOW)
    lifeline = Lifeline(database, connect("redis://127.0.0.1:1/0"))
    lifeline.step(NOW)
    lifeline.step(LATER)
    assert reload(database, session).status == SessionStatus.QUEUED
