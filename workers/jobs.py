"""The one job on the queues, run by the pool and by any stock `rq worker`."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from redis import Redis
from rq import get_current_job

from neonhub.agents import AgentManager
from neonhub.config import load_settings
from neonhub.database import Database
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.agent_traces import FRESH, Recycling
from neonhub.execution.keeper import Keeper


@dataclass(slots=True)
class WorkerHooks:
    """What a worker of the pool lends its keeper; a stock worker lends nothing.

    A stock worker forks for each job: its keeper, and the agent's process with it, serve one run.
    """

    is_shutting_down: Callable[[], bool] = lambda: False
    beat: Callable[[], None] = lambda: None
    recycling: Recycling = FRESH


hooks = WorkerHooks()


def run_session(session_id: str, attempt: int) -> None:
    """Run one attempt of a session; a copy of the job finds it taken and ends.

    Raises:
        RuntimeError: It was called outside an RQ worker, whose Redis connection it needs.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("run_session is a job: only an RQ worker can run it.")
    run(session_id, attempt, job.connection, job.worker_name or _process_name())


def run(session_id: str, attempt: int, redis: Redis, worker: str) -> None:
    """Run one attempt of a session in the name of a worker."""
    database, process = _resources(os.getpid())
    keeper = Keeper(
        database,
        redis,
        process,
        is_shutting_down=hooks.is_shutting_down,
        beat=hooks.beat,
    )
    keeper.run_session(session_id, attempt, worker)


def close_if_idle() -> None:
    """Give back what is kept for a next job that doesn't come."""
    _resources(os.getpid())[1].close_if_idle()


def close() -> None:
    """End what this process keeps from job to job."""
    database, process = _resources(os.getpid())
    process.close()
    database.close()


@cache
def _resources(pid: int) -> tuple[Database, AgentProcess]:
    """This process's own database and agents: a fork must not share its parent's connections."""
    settings = load_settings()
    agents = AgentManager(settings.agent_modules)
    database = Database(settings.database_url, pool_size=1)
    return database, AgentProcess(agents, hooks.recycling)


def _process_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"
