"""Jobs reach RQ's queues in the form a stock worker runs, and timers move with them."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job as RqJob

from neonhub.redis import keys
from neonhub.redis.queues import (
    JOB_KEEP_SECONDS,
    Job,
    TimerMove,
    hand_over,
    queue_lengths,
    queued_job_ids,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
JOB = Job("a" * 32, attempt=2, push=3, queue="high")


def test_a_job_equals_the_one_rq_would_write(redis_connection: Redis) -> None:
    hand_over(redis_connection, [JOB], now=NOW)
    ours = redis_connection.hgetall(f"rq:job:{JOB.id}")
    theirs = _as_rq_writes(redis_connection)
    assert RqJob.fetch(JOB.id, connection=redis_connection).args == ("a" * 32, 2)
    assert {key: value for key, value in ours.items() if key != b"data"} == theirs


def _as_rq_writes(redis: Redis) -> dict[bytes, bytes]:
    job = RqJob.create(
        "workers.jobs.run_session",
        args=("a" * 32, 2),
        id="theirs",
        connection=redis,
        timeout=-1,
        result_ttl=0,
        failure_ttl=60,
    )
    Queue("high", connection=redis).enqueue_job(job)
    job.created_at = job.enqueued_at = NOW
    job.save()
    written: dict[bytes, bytes] = redis.hgetall("rq:job:theirs")  # type: ignore[assignment]
    # Sentry's own part of RQ, once a test has started it, adds to the meta. What is empty is what
    # RQ takes a missing field for.
    left_out = (b"data", b"meta")
    return {key: value for key, value in written.items() if value and key not in left_out}


def test_jobs_wait_in_the_order_given(redis_connection: Redis) -> None:
    jobs = [Job(str(n) * 32, 1, 1, "normal") for n in range(5)]
    assert hand_over(redis_connection, jobs) == 5
    assert redis_connection.lrange("rq:queue:normal", 0, -1) == [job.id.encode() for job in jobs]
    assert queued_job_ids(redis_connection) == {job.id for job in jobs}
    assert queue_lengths(redis_connection) == {"critical": 0, "high": 0, "normal": 5, "low": 0}


def test_a_repeated_hand_over_pushes_nothing_twice(redis_connection: Redis) -> None:
    assert hand_over(redis_connection, [JOB]) == 1
    assert hand_over(redis_connection, [JOB]) == 0
    assert redis_connection.llen("rq:queue:high") == 1


def test_a_job_that_nobody_finishes_goes_in_time_and_nothing_else_is_left(
    redis_connection: Redis,
) -> None:
    jobs = [JOB, JOB._replace(session_id="b" * 32), JOB._replace(session_id="c" * 32, queue="low")]
    hand_over(redis_connection, jobs)
    hashes = [f"rq:job:{job.id}" for job in jobs]
    lasting = {b"rq:queues", b"rq:queue:high", b"rq:queue:low"}
    assert set(redis_connection.keys()) == {key.encode() for key in hashes} | lasting
    assert all(0 < redis_connection.ttl(key) <= JOB_KEEP_SECONDS for key in hashes)
    assert redis_connection.hget(hashes[2], "origin") == b"low"


def test_more_than_one_batch_arrives_whole(redis_connection: Redis) -> None:
    jobs = [Job(f"{n:032x}", 1, 1, "low") for n in range(4500)]
    moves = [TimerMove(f"tick:{n}", None, float(n)) for n in range(2500)]
    assert hand_over(redis_connection, jobs, moves) == 4500
    assert redis_connection.llen("rq:queue:low") == 4500
    assert redis_connection.zcard(keys.TIMERS) == 2500


def test_a_claimed_timer_moves_only_while_it_carries_the_claims_score(
    redis_connection: Redis,
) -> None:
    redis_connection.zadd(keys.TIMERS, {"tick:a": 1700000000.123457, "tick:b": 5.0})
    moves = [TimerMove("tick:a", 1700000000.123457, 9.5), TimerMove("tick:b", 4.0, 9.5)]
    hand_over(redis_connection, [], moves)
    assert redis_connection.zscore(keys.TIMERS, "tick:a") == 9.5
    assert redis_connection.zscore(keys.TIMERS, "tick:b") == 5.0


def test_a_claimed_timer_that_was_removed_stays_removed(redis_connection: Redis) -> None:
    hand_over(redis_connection, [], [TimerMove("tick:a", 5.0, 9.5)])
    assert redis_connection.zscore(keys.TIMERS, "tick:a") is None


def test_a_timer_without_a_next_instant_is_removed(redis_connection: Redis) -> None:
    redis_connection.zadd(keys.TIMERS, {"tick:a": 5.0})
    hand_over(redis_connection, [], [TimerMove("tick:a", None, None)])
    assert redis_connection.zcard(keys.TIMERS) == 0


@pytest.mark.parametrize(("score", "woken"), [(4.0, True), (6.0, False)])
def test_schedulers_are_woken_by_a_nearer_timer_only(
    redis_connection: Redis, score: float, woken: bool
) -> None:
    redis_connection.zadd(keys.TIMERS, {"tick:a": 5.0})
    with redis_connection.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(keys.WAKE)
        pubsub.get_message(timeout=5)
        hand_over(redis_connection, [], [TimerMove("retry:b", None, score)])
        redis_connection.publish(keys.WAKE, "last")
        first = pubsub.get_message(timeout=5)
    assert first is not None
    assert (first["data"] != b"last") is woken


def test_a_stock_worker_runs_the_job(
    redis_connection: Redis, redis_url: str, tmp_path: Path
) -> None:
    module = tmp_path / "workers" / "jobs.py"
    module.parent.mkdir()
    (module.parent / "__init__.py").touch()
    module.write_text(_STAND_IN)
    hand_over(redis_connection, [JOB])
    command = [sys.executable, "-m", "rq.cli", "worker", "-u", redis_url, "--burst", "high"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert redis_connection.get("ran") == f"{JOB.session_id} {JOB.attempt}".encode()
    assert redis_connection.exists(f"rq:job:{JOB.id}") == 0


_STAND_IN = """
from rq import get_current_job

def run_session(session_id, attempt):
    get_current_job().connection.set("ran", f"{session_id} {attempt}")
"""
