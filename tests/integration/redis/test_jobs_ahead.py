"""Jobs are written before their transaction commits, and pushed after it, once or not at all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from neonhub.redis import keys
from neonhub.redis.connect import connect, connect_blocking
from neonhub.redis.jobs_ahead import JobsAhead
from neonhub.redis.queues import Job, TimerMove, add_hand_over, hand_over, queue_lengths
from neonhub.redis.round_trip import RoundTrip
from tests.waiting import wait_until

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
JOBS = [Job(f"{n:032x}", 1, 1, keys.QUEUES[n % 4]) for n in range(10)]


def push(redis: Redis, ahead: JobsAhead) -> int:
    trip = RoundTrip()
    add_hand_over(trip, *ahead.unwritten(), now=NOW, batch=ahead.batch)
    return sum(trip.send(redis))


def pushed(redis: Redis) -> list[Any]:
    lists = (redis.lrange(f"rq:queue:{queue}", 0, -1) for queue in keys.QUEUES)
    return [job_id for ids in lists for job_id in ids]


def ids(jobs: list[Job]) -> list[bytes]:
    return [job.id.encode() for job in sorted(jobs, key=lambda job: keys.QUEUES.index(job.queue))]


def test_nothing_is_on_a_queue_before_the_batch_is_pushed(redis_connection: Redis) -> None:
    with JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS[:4])
        ahead.write(JOBS[4:])
    assert sum(queue_lengths(redis_connection).values()) == 0
    assert push(redis_connection, ahead) == 10
    assert pushed(redis_connection) == ids(JOBS)


def test_a_job_is_the_same_as_one_that_is_pushed_at_once(redis_connection: Redis) -> None:
    with JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS)
    push(redis_connection, ahead)
    written = _jobs(redis_connection)
    redis_connection.flushall()
    hand_over(redis_connection, JOBS)
    assert _jobs(redis_connection) == written


def _jobs(redis: Redis) -> dict[str, dict[bytes, bytes]]:
    """The fields of each, without the instants it was made at, and all other keys without any."""
    found: dict[str, dict[bytes, bytes]] = {str(key): {} for key in redis.keys()}
    for job in JOBS:
        fields: dict[bytes, bytes] = redis.hgetall(f"rq:job:{job.id}")  # type: ignore[assignment]
        found[job.id] = {name: at for name, at in fields.items() if not name.endswith(b"_at")}
    return found


def test_a_batch_is_pushed_once(redis_connection: Redis) -> None:
    with JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS)
    assert [push(redis_connection, ahead) for _ in range(2)] == [10, 0]


def test_nothing_is_left_of_a_transaction_that_failed(redis_connection: Redis) -> None:
    with pytest.raises(ValueError), JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS)
        raise ValueError
    assert redis_connection.keys() == []
    assert hand_over(redis_connection, JOBS) == 10


def test_timers_move_with_their_batch_while_they_carry_the_claims_score(
    redis_connection: Redis,
) -> None:
    redis_connection.zadd(keys.TIMERS, {"tick:a": 5.5, "tick:b": 5.5, "tick:c": 4.0})
    moves = [TimerMove("tick:a", 5.5, 9.0), TimerMove("tick:b", 5.5, None)]
    with JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS, [*moves, TimerMove("tick:c", 5.5, 9.0)])
    assert redis_connection.zscore(keys.TIMERS, "tick:a") == 5.5
    push(redis_connection, ahead)
    assert redis_connection.zrange(keys.TIMERS, 0, -1, withscores=True) == [
        (b"tick:c", 4.0),
        (b"tick:a", 9.0),
    ]


def test_a_batch_comes_after_what_is_on_the_queue_already(redis_connection: Redis) -> None:
    first = Job("f" * 32, 1, 1, "high")
    hand_over(redis_connection, [first])
    with JobsAhead(redis_connection) as ahead:
        ahead.write(JOBS)
    push(redis_connection, ahead)
    assert pushed(redis_connection) == ids([first, *JOBS])
    assert all(redis_connection.ttl(key) == -1 for key in redis_connection.keys("rq:queue:*"))


def test_who_waits_for_a_job_is_given_it(redis_connection: Redis, redis_url: str) -> None:
    with ThreadPoolExecutor() as threads, connect_blocking(redis_url) as waiting:
        found = threads.submit(waiting.blpop, ["rq:queue:high"], 20)
        wait_until(lambda: redis_connection.info("clients")["blocked_clients"])
        with JobsAhead(redis_connection) as ahead:
            ahead.write([job for job in JOBS if job.queue == "high"])
        assert push(redis_connection, ahead) == 3
        assert found.result() == (b"rq:queue:high", ids(JOBS[1:2])[0])


def test_what_a_dead_process_wrote_is_never_pushed(redis_connection: Redis) -> None:
    JobsAhead(redis_connection).__enter__().write(JOBS)
    with JobsAhead(redis_connection) as other:
        other.write([Job("f" * 32, 1, 1, "low")])
    assert push(redis_connection, other) == 1
    assert pushed(redis_connection) == [b"f" * 32 + b"-1-1"]
    assert all(redis_connection.ttl(key) > 0 for key in redis_connection.keys("neonhub:batch:*"))
    assert all(redis_connection.ttl(key) > 0 for key in redis_connection.keys("rq:job:*"))


def test_all_are_pushed_if_the_connection_ends_in_between(
    redis_connection: Redis, redis_url: str
) -> None:
    with connect(redis_url, client_name="ahead") as own:
        with JobsAhead(own) as ahead:
            ahead.write(JOBS[:4])
            _end_connection(redis_connection, "ahead")
            ahead.write(JOBS[4:])
            ahead.write(JOBS[8:])
        assert ahead.unwritten() == ([*JOBS, *JOBS[8:]], [])
    assert push(redis_connection, ahead) == 10
    assert sorted(pushed(redis_connection)) == sorted(ids(JOBS))


def _end_connection(redis: Redis, name: str) -> None:
    (found,) = (each for each in redis.client_list() if each["name"] == name)
    redis.client_kill_filter(_id=found["id"])


def test_all_are_handed_over_in_full_if_redis_was_away(redis_connection: Redis) -> None:
    with connect("redis://127.0.0.1:1") as away, JobsAhead(away) as ahead:
        ahead.write(JOBS)
    assert ahead.unwritten() == (JOBS, [])
    assert push(redis_connection, ahead) == 10


def test_jobs_without_a_batch_are_none(redis_connection: Redis) -> None:
    with JobsAhead(redis_connection) as ahead:
        assert (ahead.batch, ahead.jobs) == (None, [])
    assert redis_connection.keys() == []
