"""Hands decided sessions over to RQ's queues, and moves timers with them in one step."""

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from redis import Redis
from rq.utils import utcformat

from neonhub.clock import utcnow
from neonhub.redis import keys
from neonhub.redis.scripts import script

ENTRY_POINT = "workers.jobs.run_session"
"""The one function a job on our queues names; its arguments are (session_id, attempt)."""

JOB_KEEP_SECONDS = 7 * 86_400
"""A job that a dying worker popped and nobody finished is forgotten after this."""

FAILURE_TTL_SECONDS = 60
"""How long RQ shows a job that failed; the session itself is in the database."""

BATCH_SIZE = 2000
"""Jobs or timer moves of one script run: about 20 ms in which Redis serves nobody else."""

_QUEUE_PREFIX = "rq:queue:"
_QUEUES_KEY = "rq:queues"


@dataclass(frozen=True, slots=True)
class Job:
    """One push of a queued session."""

    session_id: str
    attempt: int
    push: int
    queue: str

    @property
    def id(self) -> str:
        """Fresh for every push: RQ deletes the hash of a finished job by its id."""
        return f"{self.session_id}-{self.attempt}-{self.push}"


@dataclass(frozen=True, slots=True)
class TimerMove:
    """A new score for a timer."""

    member: str
    claimed_score: float | None  # written only while the member carries it; None: in any case
    score: float | None  # unix seconds; None: remove the timer


def hand_over(
    redis: Redis,
    jobs: Sequence[Job],
    moves: Sequence[TimerMove] = (),
    *,
    now: datetime | None = None,
) -> int:
    """Push jobs and move timers; a repeat pushes nothing twice.

    Up to `BATCH_SIZE` of each it is all or nothing.

    Args:
        now: Timezone-aware instant written into the jobs; None: the present.

    Returns:
        How many jobs were pushed.

    Raises:
        redis.exceptions.RedisError: Redis did not take them, or not all of them.
    """
    run = script(redis, "hand_over")
    fixed = (keys.WAKE, utcformat(now or utcnow()), JOB_KEEP_SECONDS, FAILURE_TTL_SECONDS)
    pushed = 0
    for start in range(0, max(len(jobs), len(moves)), BATCH_SIZE):
        batch = jobs[start : start + BATCH_SIZE]
        args: list[str | bytes | int] = [*fixed, len(batch)]
        args.extend(_job_args(batch))
        args.extend(_move_args(moves[start : start + BATCH_SIZE]))
        pushed += cast(int, run(keys=[keys.TIMERS, _QUEUES_KEY], args=args))
    return pushed


def queued_job_ids(redis: Redis, queues: Iterable[str] = keys.QUEUES) -> set[str]:
    """The ids of all jobs that wait on the queues."""
    pipeline = redis.pipeline(transaction=False)
    for queue in queues:
        pipeline.lrange(f"{_QUEUE_PREFIX}{queue}", 0, -1)
    return {job_id.decode() for ids in pipeline.execute() for job_id in ids}


def queue_lengths(redis: Redis) -> dict[str, int]:
    """How many jobs wait on each of the four queues."""
    pipeline = redis.pipeline(transaction=False)
    for queue in keys.QUEUES:
        pipeline.llen(f"{_QUEUE_PREFIX}{queue}")
    return dict(zip(keys.QUEUES, pipeline.execute(), strict=True))


def _job_args(jobs: Iterable[Job]) -> Iterator[str | bytes]:
    for job in jobs:
        call: tuple[object, ...] = (ENTRY_POINT, None, (job.session_id, job.attempt), {})
        yield job.id
        yield job.queue
        yield _compressed(pickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL))
        yield f"{ENTRY_POINT}('{job.session_id}', {job.attempt})"


def _compressed(data: bytes) -> bytes:
    # The default window costs 50 µs to set up, for a hundred bytes; this one 2.
    compressor = zlib.compressobj(level=1, wbits=10, memLevel=1)
    return compressor.compress(data) + compressor.flush()


def _move_args(moves: Iterable[TimerMove]) -> Iterator[str]:
    for move in moves:
        yield move.member
        yield "" if move.claimed_score is None else repr(move.claimed_score)
        yield "" if move.score is None else repr(float(move.score))
