"""What a worker of the pool tells of itself in Redis."""

import pytest
from redis import Redis
from rq import Worker

from workers.pool_worker import BEAT_SECONDS, PoolWorker


@pytest.fixture
def worker(redis_connection: Redis) -> PoolWorker:
    worker = PoolWorker(redis_connection)
    worker.register_birth()  # type: ignore[no-untyped-call]  # RQ has no types there
    worker.set_state("busy")
    return worker


def test_a_worker_is_listed_again_after_redis_was_emptied(
    redis_connection: Redis, worker: PoolWorker
) -> None:
    redis_connection.flushall()
    worker._beaten -= BEAT_SECONDS
    worker.heartbeat()
    (listed,) = Worker.all(redis_connection)
    assert (listed.name, listed.get_state()) == (worker.name, "busy")


def test_a_heartbeat_is_not_sent_again_at_once(redis_connection: Redis, worker: PoolWorker) -> None:
    worker._beaten -= BEAT_SECONDS
    worker.heartbeat()
    redis_connection.hdel(worker.key, "last_heartbeat")
    worker.heartbeat()
    assert not redis_connection.hexists(worker.key, "last_heartbeat")


def test_a_state_is_told_when_it_changes(redis_connection: Redis, worker: PoolWorker) -> None:
    redis_connection.hdel(worker.key, "state")
    worker.set_state("busy")
    assert not redis_connection.hexists(worker.key, "state")
    worker.set_state("idle")
    assert redis_connection.hget(worker.key, "state") == b"idle"
