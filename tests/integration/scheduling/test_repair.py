"""Timers that are missing or late come back from the database."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models import Agent
from neonhub.redis import keys
from neonhub.scheduling.repair import Repair
from neonhub.scheduling.timers import Timers
from tests.factories import NOW, add_schedule, add_session

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def repair(database: Database, timers: Timers) -> Repair:
    return Repair(database, timers, chunk=3)


def scores(redis: Redis) -> dict[str, float]:
    found: list[Any] = redis.zrange(keys.TIMERS, 0, -1, withscores=True)
    return {member.decode(): at for member, at in found}


def test_a_load_sets_every_timer_and_the_marker(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    ids = [
        add_schedule(database, agent, name=str(n), next_tick_at=NOW + n * MINUTE).id
        for n in range(8)
    ]
    assert sum(repair.load(NOW)) == 8
    assert scores(redis_connection) == {
        f"tick:{key}": (NOW + n * MINUTE).timestamp() for n, key in enumerate(ids)
    }
    assert redis_connection.exists(keys.MARKER)


def test_a_load_leaves_out_what_is_never_due(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    add_schedule(database, agent, next_tick_at=None)
    add_session(database, agent)
    list(repair.load(NOW))
    assert scores(redis_connection) == {}


def test_a_load_sets_the_timers_of_retries(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    session = add_session(
        database, agent, status=SessionStatus.RETRYING, next_attempt_at=NOW + SECOND
    )
    list(repair.load(NOW))
    assert scores(redis_connection) == {f"retry:{session.id}": (NOW + SECOND).timestamp()}


def test_many_that_are_due_at_one_instant_are_all_found(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    for n in range(10):
        add_schedule(database, agent, name=str(n), next_tick_at=NOW - MINUTE)
    assert list(repair.sweep(NOW, MINUTE)) == [3, 3, 3, 1]
    assert redis_connection.zcard(keys.TIMERS) == 10


def test_a_sweep_looks_only_as_far_as_the_next_one(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    near = add_schedule(database, agent, name="near", next_tick_at=NOW + MINUTE)
    add_schedule(database, agent, name="far", next_tick_at=NOW + 2 * MINUTE)
    list(repair.sweep(NOW, MINUTE))
    assert list(scores(redis_connection)) == [f"tick:{near.id}"]


def test_a_sweep_pulls_forward_a_timer_that_is_late(
    database: Database, agent: Agent, repair: Repair, timers: Timers
) -> None:
    schedule = add_schedule(database, agent, next_tick_at=NOW + SECOND)
    timers.add(f"tick:{schedule.id}", NOW + MINUTE)
    list(repair.sweep(NOW, MINUTE))
    assert timers.next_score() == (NOW + SECOND).timestamp()


def test_a_sweep_leaves_a_fresh_claim_to_its_scheduler(
    database: Database, agent: Agent, repair: Repair, timers: Timers
) -> None:
    schedule = add_schedule(database, agent, next_tick_at=NOW)
    timers.add(f"tick:{schedule.id}", NOW)
    timers.claim(NOW)
    list(repair.sweep(NOW + SECOND, MINUTE))
    assert timers.claim(NOW + SECOND).claims == []


def test_the_most_urgent_are_swept_first(
    database: Database, agent: Agent, repair: Repair, redis_connection: Redis
) -> None:
    add_schedule(database, agent, name="low", priority="LOW", next_tick_at=NOW - 2 * MINUTE)
    urgent = add_schedule(
        database, agent, name="urgent", priority="CRITICAL", next_tick_at=NOW - MINUTE
    )
    next(repair.sweep(NOW, MINUTE))
    assert list(scores(redis_connection)) == [f"tick:{urgent.id}"]
