"""How many sessions that do nothing run in a second, next to bare jobs of stock RQ workers?"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from redis import Redis
from rq import Queue, Worker
from sqlalchemy import func, select

from bench.result import Result
from bench.rq_jobs import nothing
from bench.services import DATABASES, Services
from bench.whole import AGENT, start_system
from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.execution.session_manager import SessionManager
from neonhub.models import AgentSession
from tests.e2e.running import ROOT
from tests.waiting import wait_until

WORKERS = 5
PATIENCE_SECONDS = 60


def measure(services: Services, *, runs: int, count: int = 100) -> list[Result]:
    """The rows of this question; the two sides take turns, run by run."""
    results = []
    for kind in DATABASES:
        ours, others = [], []
        with start_system(services, kind) as system, _stock_workers(services):
            database = Database(system.env["DATABASE_URL"])
            for _ in range(1 + runs):
                ours.append(_sessions_per_second(database, services.redis, count))
                others.append(_jobs_per_second(services.redis, count))
            database.close()
        results.append(_row(f"{WORKERS} stock rq workers, next to {kind}", others[1:], {}))
        results.append(_row(f"NeonHub's pool, {kind}", ours[1:], {"stock RQ": median(others[1:])}))
    return results


def _sessions_per_second(database: Database, redis: Redis, count: int) -> float:
    """From before the first is queued until the last has ended."""
    sessions = SessionManager(database, redis)
    wanted = _completed(database) + count
    began = time.perf_counter()
    for _ in range(count):
        sessions.run_now(AGENT)
    wait_until(lambda: _completed(database) >= wanted, seconds=PATIENCE_SECONDS)
    return count / (time.perf_counter() - began)


def _completed(database: Database) -> int:
    query = select(func.count()).where(AgentSession.status == SessionStatus.COMPLETED)
    with database.read() as db:
        return db.scalar(query) or 0


def _jobs_per_second(redis: Redis, count: int) -> float:
    """From before the first is queued until the last has ended."""
    queue = Queue("bench", connection=redis)
    finished = queue.finished_job_registry
    wanted = finished.get_job_count(cleanup=False) + count
    began = time.perf_counter()
    for _ in range(count):
        queue.enqueue(nothing)
    wait_until(lambda: finished.get_job_count(cleanup=False) >= wanted, seconds=PATIENCE_SECONDS)
    return count / (time.perf_counter() - began)


@contextmanager
def _stock_workers(services: Services) -> Iterator[None]:
    rq = str(Path(sys.executable).with_name("rq"))
    command = [rq, "worker", "bench", "--quiet", "--url", services.redis_url, "--path", str(ROOT)]
    workers = [subprocess.Popen(command, cwd=services.new_folder()) for _ in range(WORKERS)]
    try:
        queue = Queue("bench", connection=services.redis)
        wait_until(lambda: Worker.count(queue=queue) == WORKERS, seconds=PATIENCE_SECONDS)
        yield
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(PATIENCE_SECONDS)


def _row(case: str, samples: list[float], peers: dict[str, float]) -> Result:
    return Result(
        question="sessions that do nothing",
        case=case,
        unit="/s",
        samples=samples,
        peers=peers,
    )
