"""The cells' own agent as a job that stock workers run."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from rq import get_current_job
from rq.job import Job

from tests.chaos.agents import Chronicler

JOB = "tests.chaos.stock_job.chronicle"
CLEAN_UP = "tests.chaos.stock_job.clean_up"
CLEAN_UP_SECONDS = 20


def chronicle(config: Mapping[str, Any]) -> Any:
    """Note what an agent of the cells notes, the job's id being the session's."""
    job = get_current_job()
    assert job is not None
    agent = Chronicler()
    agent.bind(session_id=job.id)
    return agent.execute(dict(config))


def clean_up(job: Job, connection: Redis) -> None:
    """What a job does once it is stopped, in its worker's own process; it takes its time."""
    config = job.args[0]
    with Path(config["truth"]).open("a") as truth:
        truth.write(f"{config['lane']} {job.id} 1 {os.getpid()} stopping\n")
    time.sleep(CLEAN_UP_SECONDS)
