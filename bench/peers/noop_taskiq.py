"""taskiq: five worker processes with their default of a hundred tasks at once, results kept."""

import asyncio
import os
from collections.abc import Callable

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from bench.peers.results import counter

URL = os.environ["REDIS_URL"]

# https://taskiq-python.github.io/available-components/brokers.html#taskiq-redis
broker = ListQueueBroker(url=URL).with_result_backend(RedisAsyncResultBackend(redis_url=URL))

WORKERS = ["taskiq worker bench.peers.noop_taskiq:broker --workers 5 --log-level ERROR"]
"""https://taskiq-python.github.io/guide/cli.html#worker"""

PROCESSES = 6


@broker.task
async def nothing() -> None:
    """Return at once."""


def enqueue(count: int) -> Callable[[], int]:
    """Queue tasks; what counts their results."""
    return counter(asyncio.run(_enqueue(count)))


async def _enqueue(count: int) -> list[str]:
    await broker.startup()
    found = [(await nothing.kiq()).task_id for _ in range(count)]
    await broker.shutdown()
    return found
