"""Metrics, read from the database and Redis when they are asked for."""

from collections.abc import Iterator
from typing import Any, cast

from flask import Flask, current_app
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from sqlalchemy import func, select

from neonhub.api.execution_metrics import execution_metrics
from neonhub.api.status import DATABASE_ERRORS, status
from neonhub.database import Database
from neonhub.domain.states import ACTIVE, SchedulerState
from neonhub.events import FanOut
from neonhub.models import AgentSession


def register_metrics(app: Flask, database: Database, redis: Redis, fanout: FanOut) -> None:
    """Give the application its registry."""
    found = CollectorRegistry()
    found.register(SystemCollector(database, redis, fanout))
    app.extensions["metrics"] = found


def registry() -> CollectorRegistry:
    """The registry of the application that handles this request."""
    return cast(CollectorRegistry, current_app.extensions["metrics"])


class SystemCollector(Collector):
    """What the status says, as numbers; each scrape reads it anew, with index lookups only."""

    def __init__(self, database: Database, redis: Redis, fanout: FanOut) -> None:
        self._database = database
        self._redis = redis
        self._fanout = fanout

    def describe(self) -> list[Metric]:
        """Nothing: registering must not connect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        found = status(self._database, self._redis)
        yield _by_label(
            "neonhub_scheduler_state",
            "1 for the state the scheduler is in",
            "state",
            {state: int(found["state"] == state) for state in SchedulerState},
        )
        yield _gauge("neonhub_schedulers", "Live schedulers", len(found["schedulers"]))
        yield _gauge("neonhub_running_sessions", "Agents running now", found["running"])
        yield _gauge("neonhub_max_concurrent", "Agents allowed at once", found["max_concurrent"])
        yield _by_label("neonhub_queue_jobs", "Jobs waiting on a queue", "queue", found["queues"])
        yield _by_label("neonhub_workers", "Workers", "state", _count(found["workers"]))
        yield _by_label("neonhub_schedules", "Schedules", "state", found["schedules"])
        yield _by_label(
            "neonhub_firing_lag_milliseconds",
            "Planned instant to firing, over the last 1,000 firings",
            "quantile",
            {
                quantile: value
                for quantile, value in (
                    ("0.5", found["firing_lag_ms"]["p50"]),
                    ("0.99", found["firing_lag_ms"]["p99"]),
                )
                if value is not None
            },
        )
        fired = CounterMetricFamily("neonhub_fired", "Ticks that became sessions")
        fired.add_metric([], found["fired_total"])
        yield fired
        yield _gauge("neonhub_websocket_clients", "Sockets of this web process", len(self._fanout))
        sent = CounterMetricFamily(
            "neonhub_events_sent", "Messages written to this process's sockets"
        )
        sent.add_metric([], self._fanout.sent)
        yield sent
        yield _by_label(
            "neonhub_check_loop_milliseconds",
            "How long a scheduler's last look at the timers took",
            "scheduler",
            {scheduler.id: scheduler.last_check_ms for scheduler in found["schedulers"]},
        )
        yield from execution_metrics(self._redis)
        yield _by_label(
            "neonhub_active_sessions", "Sessions not ended", "status", self._active_sessions()
        )

    def _active_sessions(self) -> dict[str, int]:
        counts: dict[str, int] = {each.value: 0 for each in ACTIVE}
        query = select(AgentSession.status, func.count()).where(AgentSession.finished_at.is_(None))
        try:
            with self._database.read() as db:
                for name, count in db.execute(query.group_by(AgentSession.status)):
                    counts[name] = count
        except DATABASE_ERRORS:
            return {}
        return counts


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)


def _by_label(name: str, help: str, label: str, values: dict[Any, Any]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _count(workers: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for worker in workers:
        counts[worker["state"]] = counts.get(worker["state"], 0) + 1
    return counts
