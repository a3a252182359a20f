"""How soon does the API answer while 500 schedules a second fire, and how many reads a second?"""

from datetime import timedelta

from redis import Redis

from bench.request_rate import requests_per_second
from bench.requests_paced import Pace, answers_ms, start_requests
from bench.result import Result, p99
from bench.services import Services
from bench.target import Target, at_least, at_most
from bench.whole import AGENT, start_without_pool
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.scheduling.schedule_manager import ScheduleManager
from tests.e2e.running import RunningSystem
from tests.factories import add_agent
from tests.waiting import wait_until

FIRINGS_PER_SECOND = 500
HEAD_START_SECONDS = 6
SECONDS = 2
"""Of each run."""

READS_PER_SECOND, WRITES_PER_SECOND = 50, 20
LIMIT_READ_MS = 20
LIMIT_WRITE_MS = 40
MIN_READS_PER_SECOND = 500
MIN_FIRED_PER_SECOND = 0.98 * FIRINGS_PER_SECOND

SETTINGS = {"NEONHUB_MAX_QUEUED": "1000000", "SCHEDULER_CHECK_INTERVAL": "5000"}
SCHEDULE = f"/api/agents/{AGENT}/schedule"
SESSIONS = f"/api/agents/{AGENT}/sessions"
CRONS = [{"cronExpression": "0 9 * * 1-5"}, {"cronExpression": "0 10 * * 1-5"}]


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question; no worker takes what is queued."""
    results = []
    for kind in services.databases:
        with start_without_pool(services, kind, **SETTINGS) as web:
            for _ in range(60):
                assert web.post(f"/api/agents/{AGENT}/run", {}).ok
            assert web.post(SCHEDULE, CRONS[0]).ok
            results.append(_rate(web, f"{kind}, idle", runs))
            _add_schedules(web, services.redis)
            results += _latencies(web, kind, runs)
            results.append(_rate(web, f"{kind}, while {FIRINGS_PER_SECOND} a second fire", runs))
    return results


def _add_schedules(web: RunningSystem, redis: Redis) -> None:
    """Spread evenly over a second that is yet to come; returns once they fire."""
    began = utcnow() + timedelta(seconds=HEAD_START_SECONDS)
    apart = timedelta(seconds=1 / FIRINGS_PER_SECOND)
    database = Database(web.env["DATABASE_URL"])
    add_agent(database, "firing")
    manager = ScheduleManager(database, redis)
    for n in range(FIRINGS_PER_SECOND):
        fields = {"name": f"n{n}", "interval": "every second", "overlap": "ALLOW"}
        manager.create_schedule("firing", {**fields, "start_at": began + n * apart})
    database.close()
    wait_until(lambda: _fired(web) > FIRINGS_PER_SECOND, seconds=60)


def _latencies(web: RunningSystem, kind: str, runs: int) -> list[Result]:
    """Two readers and a writer at once, in chunks of which each is a run."""
    port = int(web.env["PORT"])
    fired = _fired(web)
    seconds = SECONDS * (1 + runs)
    asked = {
        "GET schedule": Pace(
            port=port, path=SCHEDULE, per_second=READS_PER_SECOND, seconds=seconds
        ),
        "GET sessions": Pace(
            port=port, path=SESSIONS, per_second=READS_PER_SECOND, seconds=seconds
        ),
        "POST schedule": Pace(
            port=port, path=SCHEDULE, per_second=WRITES_PER_SECOND, seconds=seconds, bodies=CRONS
        ),
    }
    processes = {name: start_requests(pace) for name, pace in asked.items()}
    began = utcnow()
    found = {name: answers_ms(process) for name, process in processes.items()}
    spent = (utcnow() - began).total_seconds()
    rows = [
        _latency_row(f"{kind}, {name}, p99", _p99s(samples, runs), _limit(name))
        for name, samples in found.items()
    ]
    return [*rows, _fired_row(kind, (_fired(web) - fired) / spent)]


def _p99s(samples: list[float], runs: int) -> list[float]:
    """Of each run, the first, a warm-up, left out."""
    size = len(samples) // (1 + runs)
    return [p99(samples[n * size : (n + 1) * size]) for n in range(1, 1 + runs)]


def _limit(name: str) -> Target:
    return at_most(LIMIT_WRITE_MS if name.startswith("POST") else LIMIT_READ_MS)


def _fired(web: RunningSystem) -> int:
    return int(web.get("/api/scheduler/status").json()["firedTotal"])


def _rate(web: RunningSystem, case: str, runs: int) -> Result:
    port = int(web.env["PORT"])
    paths = [SCHEDULE, SESSIONS]
    samples = [requests_per_second(port, paths, SECONDS / 2) for _ in range(1 + runs)][1:]
    return Result(
        question="reads of one web process",
        case=case,
        unit="/s",
        samples=samples,
        targets=[at_least(MIN_READS_PER_SECOND)],
    )


def _latency_row(case: str, samples: list[float], target: Target) -> Result:
    return Result(
        question="request while 500 a second fire",
        case=case,
        unit="ms",
        samples=samples,
        targets=[target],
    )


def _fired_row(kind: str, per_second: float) -> Result:
    return Result(
        question="schedules fired meanwhile",
        case=kind,
        unit="/s",
        samples=[per_second],
        targets=[at_least(MIN_FIRED_PER_SECOND)],
    )
