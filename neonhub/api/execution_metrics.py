"""Metrics of what agents did: how many sessions ended how, how long they took."""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from redis import Redis
from redis.exceptions import RedisError

from neonhub.domain.states import SessionStatus
from neonhub.redis.counters import BUCKETS_SECONDS, AgentCounts, read_counts


def execution_metrics(redis: Redis) -> Iterator[Metric]:
    """Counts, durations and success by agent; nothing while Redis is away."""
    try:
        counts = read_counts(redis)
    except RedisError:
        return
    ended = CounterMetricFamily("neonhub_sessions", "Sessions ended", labels=["agent", "status"])
    took = HistogramMetricFamily(
        "neonhub_session_duration_seconds", "First start to end", labels=["agent"]
    )
    success = GaugeMetricFamily(
        "neonhub_success_ratio", "Completed, of those completed or failed", labels=["agent"]
    )
    for agent_id, agent in sorted(counts.items()):
        for status, count in sorted(agent.ended.items()):
            ended.add_metric([agent_id, status], count)
        took.add_metric([agent_id], _cumulative(agent), agent.seconds)
        ratio = _success(agent)
        if ratio is not None:
            success.add_metric([agent_id], ratio)
    yield from (ended, took, success)


def _cumulative(agent: AgentCounts) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound in (*BUCKETS_SECONDS, float("inf")):
        total += agent.buckets.get(bound, 0)
        buckets.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return buckets


def _success(agent: AgentCounts) -> float | None:
    completed = agent.ended.get(SessionStatus.COMPLETED, 0)
    failed = agent.ended.get(SessionStatus.FAILED, 0)
    return completed / (completed + failed) if completed + failed else None
