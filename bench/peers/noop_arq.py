"""arq: five processes, each with the ten jobs at once that are its default, results kept."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings

from bench.peers.results import counter

SETTINGS = RedisSettings(unix_socket_path=os.environ["REDIS_URL"].removeprefix("unix://"))


async def nothing(context: dict[str, Any]) -> None:
    """Return at once."""


class WorkerSettings:
    """https://arq-docs.helpmanual.io/#arq.worker.Worker"""

    functions: ClassVar = [nothing]
    redis_settings = SETTINGS
    poll_delay = 0.01  # its default, 0.5 s, is for idle systems


WORKERS = ["arq bench.peers.noop_arq.WorkerSettings"] * 5
PROCESSES = 5


def enqueue(count: int) -> Callable[[], int]:
    """Queue jobs; what counts their results."""
    return counter(asyncio.run(_enqueue(count)))


async def _enqueue(count: int) -> list[str]:
    pool = await create_pool(SETTINGS)
    jobs = [await pool.enqueue_job("nothing") for _ in range(count)]
    await pool.aclose()
    return [f"arq:result:{job.job_id}" for job in jobs if job is not None]
