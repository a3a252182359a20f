"""Counts what ended, for the metrics; lost with Redis, as a counter may be."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis import Redis

from neonhub.redis.keys import COUNTERS
from neonhub.redis.round_trip import RoundTrip

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
    trip = RoundTrip()
    add_counts(trip, sessions)
    trip.send(redis)


def add_counts(trip: RoundTrip, sessions: Iterable[EndedSession]) -> None:
    """Add to a round trip what `count_ended` does."""
    counts: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for session in sessions:
        name, took = session.agent_id, session.duration_seconds
        counts[f"{name}|ended|{session.status}"] += 1
        if took is not None:
            counts[f"{name}|bucket|{_bucket(took)}"] += 1
            seconds[name] = seconds.get(name, 0.0) + took
    for field, count in counts.items():
        trip.command("HINCRBY", COUNTERS, field, count)
    for name, took in seconds.items():
        trip.command("HINCRBYFLOAT", COUNTERS, f"{name}|seconds|", took)


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
