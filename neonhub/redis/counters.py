"""Counts what ended, for the metrics; lost with Redis, as a counter may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis import Redis

from neonhub.redis.keys import COUNTERS

BUCKETS_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600)
"""Upper bounds of the histogram of durations."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that ended."""

    agent_id: str
    status: str
    duration_seconds: float | None  # None: it never started


@dataclass(slots=True)
class AgentCounts:
    """What is counted of one agent."""

    ended: dict[str, int]  # by status
    buckets: dict[float, int]  # not cumulative
    seconds: float  # of all of them together


def count_ended(redis: Redis, sessions: Iterable[EndedSession]) -> None:
    """Count sessions that ended, in one round trip.

    Raises:
        redis.exceptions.RedisError: Redis did not take them.
    """
    pipeline = redis.pipeline(transaction=False)
    for session in sessions:
        name = session.agent_id
        pipeline.hincrby(COUNTERS, f"{name}|ended|{session.status}", 1)
        if session.duration_seconds is not None:
            pipeline.hincrby(COUNTERS, f"{name}|bucket|{_bucket(session.duration_seconds)}", 1)
            pipeline.hincrbyfloat(COUNTERS, f"{name}|seconds|", session.duration_seconds)
    pipeline.execute()


def read_counts(redis: Redis) -> dict[str, AgentCounts]:
    """The counts of each agent that ended a session.

    Raises:
        redis.exceptions.RedisError: Redis did not answer.
    """
    counts: dict[str, AgentCounts] = {}
    for field, value in cast(dict[bytes, bytes], redis.hgetall(COUNTERS)).items():
        agent_id, what, label = field.decode().split("|")
        agent = counts.setdefault(agent_id, AgentCounts({}, {}, 0.0))
        if what == "ended":
            agent.ended[label] = int(value)
        elif what == "bucket":
            agent.buckets[float(label)] = int(value)
        else:
            agent.seconds = float(value)
    return counts


def _bucket(seconds: float) -> float:
    return next((bound for bound in BUCKETS_SECONDS if seconds <= bound), float("inf"))
