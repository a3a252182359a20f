"""Live schedulers are listed, dead ones are not."""

import os
from datetime import UTC, datetime, timedelta

from redis import Redis

from neonhub.redis import keys
from neonhub.scheduling.heartbeat import Heartbeat, live_schedulers
from neonhub.scheduling.timers import Timers

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def heartbeat(redis: Redis, name: str) -> Heartbeat:
    return Heartbeat(redis, Timers(redis, name=name))


def test_a_beat_tells_who_and_since_when(redis_connection: Redis) -> None:
    beats = heartbeat(redis_connection, "one")
    beats.beat(NOW, 1.5)
    beats.beat(LATER, 2.5)
    (one,) = live_schedulers(redis_connection)
    assert (one.id, one.pid, one.started_at) == ("one", os.getpid(), NOW)
    assert (one.last_check_at, one.last_check_ms) == (LATER, 2.5)


def test_a_beat_tells_what_keeps_it_from_working(redis_connection: Redis) -> None:
    beats = heartbeat(redis_connection, "one")
    beats.beat(NOW, 1, "The disk is full.")
    assert [one.fault for one in live_schedulers(redis_connection)] == ["The disk is full."]
    beats.beat(NOW, 1)
    assert [one.fault for one in live_schedulers(redis_connection)] == [None]


def test_schedulers_are_listed_by_their_start(redis_connection: Redis) -> None:
    heartbeat(redis_connection, "second").beat(LATER, 1)
    heartbeat(redis_connection, "first").beat(NOW, 1)
    assert [one.id for one in live_schedulers(redis_connection)] == ["first", "second"]


def test_one_that_ended_is_not_listed(redis_connection: Redis) -> None:
    beats = heartbeat(redis_connection, "one")
    beats.beat(NOW, 1)
    beats.end()
    assert live_schedulers(redis_connection) == []
    assert redis_connection.hexists(f"{keys.SCHEDULER_PREFIX}one", "death")


def test_one_that_was_killed_goes_with_its_entry(redis_connection: Redis) -> None:
    heartbeat(redis_connection, "one").beat(NOW, 1)
    key = f"{keys.SCHEDULER_PREFIX}one"
    assert 0 < redis_connection.ttl(key) <= 15
    redis_connection.delete(key)
    assert live_schedulers(redis_connection) == []


def test_its_entry_returns_after_redis_was_emptied(redis_connection: Redis) -> None:
    beats = heartbeat(redis_connection, "one")
    beats.beat(NOW, 1)
    redis_connection.flushall()
    beats.beat(LATER, 1)
    assert [one.started_at for one in live_schedulers(redis_connection)] == [NOW]


def test_long_dead_names_leave_the_index(redis_connection: Redis) -> None:
    heartbeat(redis_connection, "old").beat(NOW - timedelta(hours=2), 1)
    heartbeat(redis_connection, "new").beat(NOW, 1)
    assert redis_connection.zrange(keys.SCHEDULERS, 0, -1) == [b"new"]
