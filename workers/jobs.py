"""The one job on the queues, as any stock `rq worker` runs it."""

import os
import socket

from rq import get_current_job

from neonhub.agents import AgentManager
from neonhub.config import load_settings
from neonhub.database import Database
from neonhub.execution.keeper import Keeper


def run_session(session_id: str, attempt: int) -> None:
    """Run one attempt of a session; a copy of the job finds it taken and ends.

    A stock worker forks for each job: its keeper, and the agent's process with it, serve one run.

    Raises:
        RuntimeError: It was called outside an RQ worker, whose Redis connection it needs.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("run_session is a job: only an RQ worker can run it.")
    settings = load_settings()
    agents = AgentManager(settings.agent_modules)
    database = Database(settings.database_url, pool_size=1)
    worker = job.worker_name or f"{socket.gethostname()}-{os.getpid()}"
    with Keeper(database, job.connection, agents, [worker]) as keeper:
        keeper.run_session(session_id, attempt)
    database.close()
