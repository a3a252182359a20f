"""Hands decided sessions over to RQ's queues, and moves timers with them in one step."""

import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, cast

from redis import Redis
from rq.utils import utcformat

from neonhub.clock import utcnow
from neonhub.redis import keys
from neonhub.redis.round_trip import Argument, RoundTrip
from neonhub.redis.scripts import script, script_text

ENTRY_POINT = "workers.jobs.run_session"
"""The one function a job on our queues names; its arguments are (session_id, attempt)."""

JOB_KEEP_SECONDS = 7 * 86_400
"""A job that a dying worker popped and nobody finished is forgotten after this."""

FAILURE_TTL_SECONDS = 60
"""How long RQ shows a job that failed; the session itself is in the database."""

BATCH_KEEP_SECONDS = 60
"""How long after it was written a batch can be handed over; then it is as if that failed."""

PICKLE_PROTOCOL = 5
"""RQ reads a call that is not compressed as well; at a hundred bytes it would save none."""

BATCH_SIZE = 2000
"""Jobs or timer moves of one script run: about 20 ms in which Redis serves nobody else."""

_QUEUE_PREFIX = "rq:queue:"
_QUEUE_KEYS = tuple(_QUEUE_PREFIX + queue for queue in keys.QUEUES)
_KEYS = (keys.TIMERS, "rq:queues", keys.JOB_MODEL, *_QUEUE_KEYS)


class Job(NamedTuple):
    """One push of a queued session."""

    session_id: str
    attempt: int
    push: int
    queue: str

    @property
    def id(self) -> str:
        """Fresh for every push: RQ deletes the hash of a finished job by its id."""
        return f"{self.session_id}-{self.attempt}-{self.push}"


class TimerMove(NamedTuple):
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
    return sum(
        cast(int, run(keys=_KEYS, args=args))
        for args in _hand_over_args(jobs, moves, now or utcnow())
    )


def add_hand_over(
    trip: RoundTrip,
    jobs: Sequence[Job],
    moves: Sequence[TimerMove],
    *,
    now: datetime,
    batch: str | None = None,
) -> None:
    """Add to a round trip what `hand_over` does.

    Args:
        batch: What `JobsAhead` has written is handed over before these.
    """
    for args in _hand_over_args(jobs, moves, now, batch or ""):
        trip.script("hand_over", _KEYS, args)


def writing_of(
    batch: str, jobs: Sequence[Job], moves: Sequence[TimerMove], *, now: datetime
) -> Iterator[Sequence[Argument]]:
    """The commands that keep jobs and moves as a part of a batch, which is handed over later."""
    for args in _hand_over_args(jobs, moves, now, batch, hands_over=False):
        yield "EVAL", script_text("hand_over"), len(_KEYS), *_KEYS, *args


def written_keys(batch: str, jobs: Iterable[Job]) -> list[str]:
    """The keys that a batch has until it is handed over."""
    lists = [_lists_of(batch) + name for name in (*_QUEUE_KEYS, "moves")]
    return lists + [f"rq:job:{job.id}" for job in jobs]


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


def _hand_over_args(
    jobs: Sequence[Job],
    moves: Sequence[TimerMove],
    now: datetime,
    batch: str = "",
    *,
    hands_over: bool = True,
) -> Iterator[list[str | bytes | int]]:
    """What each run of the script is given."""
    fixed = (keys.WAKE, utcformat(now), JOB_KEEP_SECONDS, FAILURE_TTL_SECONDS)
    kept = (_lists_of(batch) if batch else "", "" if hands_over else BATCH_KEEP_SECONDS)
    for start in range(0, max(len(jobs), len(moves), bool(batch)), BATCH_SIZE):
        moved = _moves_as_json(moves[start : start + BATCH_SIZE])
        yield [*fixed, moved, *kept, *_job_args(jobs[start : start + BATCH_SIZE])]


def _lists_of(batch: str) -> str:
    """What begins the names of its lists."""
    return f"{keys.BATCH_PREFIX}{batch}:"


def _job_args(jobs: Iterable[Job]) -> Iterator[str | bytes]:
    """What jobs of one queue, attempt and push share, once; then the ids of their sessions."""
    for (queue, attempt, push), alike in groupby(jobs, attrgetter("queue", "attempt", "push")):
        session_ids = [job.session_id for job in alike]
        yield queue
        yield f"-{attempt}-{push}"
        yield from _call_around(session_ids[0], attempt)
        yield f"{ENTRY_POINT}('"
        yield f"', {attempt})"
        yield json.dumps(session_ids)


def _call_around(session_id: str, attempt: int) -> tuple[bytes, bytes]:
    """The pickled call before and after the id, which is as long for every session."""
    call: tuple[object, ...] = (ENTRY_POINT, None, (session_id, attempt), {})
    head, _, tail = pickle.dumps(call, protocol=PICKLE_PROTOCOL).partition(session_id.encode())
    return head, tail


def _moves_as_json(moves: Iterable[TimerMove]) -> str:
    """Moves of one claim share the score they must still carry."""
    groups = []
    for claimed, alike in groupby(moves, attrgetter("claimed_score")):
        group = ["" if claimed is None else repr(claimed)]
        for move in alike:
            group += (move.member, "" if move.score is None else repr(float(move.score)))
        groups.append(group)
    return json.dumps(groups)
