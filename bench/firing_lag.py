"""How late is a schedule fired by a system that has nothing else to do?"""

import time
from datetime import datetime

from bench.result import Result
from bench.services import DATABASES, Services
from bench.whole import AGENT, start_system
from tests.e2e.running import RunningSystem
from tests.waiting import wait_until

SKIPPED = 2
"""The first firings, by processes that are still warming up, don't count."""


def measure(services: Services, *, runs: int, firings: int = 30) -> list[Result]:
    """The rows of this question; each firing is a run."""
    results = []
    for kind in DATABASES:
        with start_system(services, kind) as system:
            answer = system.post(f"/api/agents/{AGENT}/schedules", {"interval": "every second"})
            assert answer.status_code == 201, answer.text
            wanted = max(firings, runs) + SKIPPED
            lags = _wait_for_lags(system, wanted)[SKIPPED:]
            said = system.get("/api/scheduler/status").json()["firingLagMs"]
        results.append(_row(f"{kind}, {len(lags)} firings", lags))
        results.append(_row(f"{kind}, p99 in the status", [said["p99"]]))
    return results


def _wait_for_lags(system: RunningSystem, wanted: int) -> list[float]:
    """The first lags, read once they are there: asking before would keep the system busy."""
    time.sleep(wanted)
    wait_until(lambda: len(_lags(system)) >= wanted, seconds=wanted)
    return _lags(system)[:wanted]


def _lags(system: RunningSystem) -> list[float]:
    """Between the instant of a tick and its session's being queued, oldest first."""
    page = system.get(f"/api/agents/{AGENT}/sessions?pageSize=100").json()["items"]
    return [_ms(each["scheduledFor"], each["queuedAt"]) for each in reversed(page)]


def _ms(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() * 1000


def _row(case: str, samples: list[float]) -> Result:
    return Result(question="firing lag, idle", case=case, unit="ms", samples=samples)
