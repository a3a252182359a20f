"""How late is a schedule that fires on an idle system: on its queue, and with its agent running?"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import cast

from redis import Redis
from sqlalchemy import select

from bench.peer_process import run_peer
from bench.result import Result, p99
from bench.services import Services
from bench.target import at_most
from bench.whole import start_system, start_without_pool
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.domain.instant import text_of
from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession
from tests.e2e.running import RunningSystem

PARTS = (("on its queue", 10), ("agent running", 40))
"""What is waited for, and its limit in ms."""

Lags = tuple[Sequence[float], Sequence[float]]
"""Milliseconds of each firing, by part."""

SCHEDULES = 4
"""Each every second, a quarter of a second apart."""

SKIPPED = 2 * SCHEDULES
"""The first firings, by processes that are still warming up, don't count."""

AGENT = "timekeeper"
PEERS = {"rq-scheduler": "rq-scheduler", "rq cron": "rq-cron"}
PATIENCE_SECONDS = 30


def measure(services: Services, *, firings: int) -> list[Result]:
    """The rows of this question; each firing is a sample of the percentile.

    Args:
        firings: Of each side; the peers fire once a second, NeonHub four times.
    """
    theirs = {
        name: _columns(run_peer(services, "firing_lag", argument, firings))
        for name, argument in PEERS.items()
    }
    results = [row for name, lags in theirs.items() for row in _rows(name, lags, {})]
    for kind in services.databases:
        with start_without_pool(services, kind) as web:
            _add_schedules(web)
            queued = _queued_ms(web, services.redis, firings)
        with start_system(services, kind) as system:
            _add_schedules(system)
            running = _running_ms(system, firings)
        results += _rows(f"NeonHub, {kind}", (queued, running), theirs)
    return results


def _add_schedules(system: RunningSystem) -> None:
    body = {"id": AGENT, "name": "Timekeeper", "kind": AGENT, "config": {}}
    assert system.post("/api/agents", body).ok
    for n in range(SCHEDULES):
        start_at = utcnow().replace(microsecond=0) + timedelta(seconds=3 + n / SCHEDULES)
        schedule = {
            "name": f"n{n}",
            "interval": "every second",
            "startAt": text_of(start_at),
            "overlap": "ALLOW",
        }
        assert system.post(f"/api/agents/{AGENT}/schedules", schedule).ok


def _queued_ms(web: RunningSystem, redis: Redis, firings: int) -> list[float]:
    """We take jobs off their queue as a worker does, and note when."""
    arrived: dict[str, float] = {}
    while len(arrived) < firings + SKIPPED:
        # To another queue, or the lifeline would find it on none, and push it again.
        job = redis.blmove("rq:queue:normal", "rq:queue:low", PATIENCE_SECONDS, "LEFT", "RIGHT")
        assert job is not None, "nothing fires"
        arrived[cast(bytes, job).decode().partition("-")[0]] = time.time()
    planned = _planned(web, list(arrived))
    return [(at - planned[key]) * 1000 for key, at in arrived.items()][SKIPPED:]


def _running_ms(system: RunningSystem, firings: int) -> list[float]:
    """What the agents noted; asking before all have run would keep the system busy."""
    time.sleep(3 + (firings + SKIPPED) / SCHEDULES)
    database = Database(system.env["DATABASE_URL"])
    query = select(AgentSession).where(AgentSession.status == SessionStatus.COMPLETED)
    with database.read() as db:
        sessions = db.scalars(query.order_by(AgentSession.scheduled_for)).all()
    database.close()
    lags = [
        (session.result["ran"] - _unix(session.scheduled_for)) * 1000
        for session in sessions
        if session.result and "ran" in session.result
    ]
    return lags[SKIPPED : SKIPPED + firings]


def _planned(web: RunningSystem, session_ids: Sequence[str]) -> dict[str, float]:
    """Session → the instant it was due at, unix seconds."""
    database = Database(web.env["DATABASE_URL"])
    query = select(AgentSession).where(AgentSession.id.in_(session_ids))
    with database.read() as db:
        found = {each.id: _unix(each.scheduled_for) for each in db.scalars(query)}
    database.close()
    return found


def _unix(at: datetime | None) -> float:
    assert at is not None
    return at.astimezone(UTC).timestamp()


def _columns(pairs: list[list[float]]) -> Lags:
    return [queued for queued, _ in pairs], [running for _, running in pairs]


def _rows(side: str, lags: Lags, peers: Mapping[str, Lags]) -> list[Result]:
    """Four of a side: p50 and p99 of both parts; ours have targets, and the peers' figures."""
    rows = []
    for part, (until, limit) in enumerate(PARTS):
        for percentile, figure in (("p50", median), ("p99", p99)):
            is_bound = bool(peers) and percentile == "p99"
            rows.append(
                Result(
                    question=f"due instant until {until}, idle",
                    case=f"{side}, {percentile} of {len(lags[part])}",
                    unit="ms",
                    samples=[figure(lags[part])],
                    peers={name: figure(each[part]) for name, each in peers.items()},
                    targets=[at_most(limit)] if is_bound else [],
                )
            )
    return rows
