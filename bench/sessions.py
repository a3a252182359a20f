"""How many runs that do nothing get done in a second by five workers, ours and those of peers?"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

from redis import Redis
from rq import Worker
from sqlalchemy import func, insert, select

from bench.peer_process import run_peer
from bench.result import Result
from bench.services import Services
from bench.target import Target, at_least
from bench.whole import AGENT, start_system, start_without_pool
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession
from neonhub.redis import keys
from neonhub.redis.queues import Job, hand_over
from tests.e2e.running import ROOT, RunningSystem
from tests.factories import add_session
from tests.waiting import wait_until

WORKERS = 5
PATIENCE_SECONDS = 120
POLL_SECONDS = 0.2
"""How often the database is asked, which costs; the rows say when the last one ended."""

CELERY, STOCK = "Celery", "stock RQ, same sessions"
PEERS = {
    "RQ": ("rq", 300),
    CELERY: ("celery", 2000),
    "dramatiq": ("dramatiq", 2000),
    "arq": ("arq", 2000),
    "taskiq": ("taskiq", 4000),
    "huey": ("huey", 4000),
}
"""Name → its program, and about as many jobs as take it two seconds."""

WARM_UP, STOCK_WARM_UP = 50, 5
"""Sessions run at first; from how long they took follows how many a run has."""

RUN_SECONDS, MOST = 3.0, 4000
TARGETS = (at_least(1, CELERY), at_least(8, STOCK))


def measure(services: Services, *, runs: int, share: float = 1) -> list[Result]:
    """The rows of this question; all that is run is queued at once, by one program.

    Args:
        share: Of the jobs that the whole benchmark runs; of ours, never less than half.
    """
    peers = {
        name: run_peer(services, "draining", program, int(jobs * share), runs)
        for name, (program, jobs) in PEERS.items()
    }
    results = [_row(f"{name}, results kept", samples) for name, samples in peers.items()]
    medians = {name: median(samples) for name, samples in peers.items()}
    seconds = RUN_SECONDS * max(share, 0.5)
    for kind in services.databases:
        with start_without_pool(services, kind) as web, _stock_workers(services, web):
            stock = _rates(web, services.redis, STOCK_WARM_UP, runs, seconds)
        with start_system(services, kind) as system:
            ours = _rates(system, services.redis, WARM_UP, runs, seconds)
        others = medians | {STOCK: median(stock)}
        results.append(_row(f"{STOCK}, {kind}", stock))
        results.append(_row(f"NeonHub's pool, {kind}", ours, others, TARGETS))
    return results


def _rates(
    system: RunningSystem, redis: Redis, warm_up: int, runs: int, seconds: float
) -> list[float]:
    database = Database(system.env["DATABASE_URL"])
    rate = _sessions_per_second(database, redis, warm_up)
    count = min(MOST, max(warm_up, int(rate * seconds)))
    found = [_sessions_per_second(database, redis, count) for _ in range(runs)]
    database.close()
    return found


def _sessions_per_second(database: Database, redis: Redis, count: int) -> float:
    """From before the first is pushed until the last end is written."""
    jobs = _write_sessions(database, count)
    began = utcnow()
    hand_over(redis, jobs)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _unfinished(database):
        assert time.monotonic() < deadline, "the sessions don't end"
        time.sleep(POLL_SECONDS)
    return count / (_last_end(database) - began).total_seconds()


def _write_sessions(database: Database, count: int) -> list[Job]:
    """Queued sessions as rows; their jobs are still to be pushed."""
    with database.read() as db:
        agent = db.scalars(select(Agent).where(Agent.slug == AGENT)).one()
    now = utcnow()
    times = {"queued_at": now, "pushed_at": now}
    template = add_session(database, agent, **times)
    same = {each.key: getattr(template, each.key) for each in AgentSession.__table__.columns}
    ids = [template.id, *(new_id() for _ in range(count - 1))]
    with database.begin() as db:
        db.execute(insert(AgentSession), [same | {"id": each} for each in ids[1:]])
    return [Job(each, 1, 1, "normal") for each in ids]


def _unfinished(database: Database) -> int | None:
    with database.read() as db:
        return db.scalar(select(func.count()).where(AgentSession.finished_at.is_(None)))


def _last_end(database: Database) -> datetime:
    with database.read() as db:
        last: datetime | None = db.scalar(select(func.max(AgentSession.finished_at)))
    assert last is not None
    return last


@contextmanager
def _stock_workers(services: Services, web: RunningSystem) -> Iterator[None]:
    rq = str(Path(sys.executable).with_name("rq"))
    command = [rq, "worker", "--quiet", "--url", services.redis_url, *keys.QUEUES]
    workers = [subprocess.Popen(command, cwd=ROOT, env=web.env) for _ in range(WORKERS)]
    try:
        wait_until(lambda: Worker.count(services.redis) == WORKERS, seconds=PATIENCE_SECONDS)
        yield
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(PATIENCE_SECONDS)


def _row(
    case: str,
    samples: Sequence[float],
    peers: dict[str, float] | None = None,
    targets: Sequence[Target] = (),
) -> Result:
    return Result(
        question="runs that do nothing, five workers",
        case=case,
        unit="/s",
        samples=samples,
        peers=peers or {},
        targets=targets,
    )
