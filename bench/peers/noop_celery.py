"""Celery: prefork, late acknowledgement, results kept."""

import os
from collections.abc import Callable

from celery import Celery, group

from bench.peers.results import counter

# https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html
URL = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    # Late acknowledgement, as NeonHub's sessions have it; the multiplier for many short tasks:
    # https://docs.celeryq.dev/en/stable/userguide/optimizing.html#prefetch-limits
    task_acks_late=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
)

WORKERS = ["celery -A bench.peers.noop_celery worker --concurrency 5 --loglevel ERROR"]
"""https://docs.celeryq.dev/en/stable/userguide/workers.html: prefork is the default pool."""

PROCESSES = 6


@app.task
def nothing() -> None:
    """Return at once."""


def enqueue(count: int) -> Callable[[], int]:
    """Queue tasks; what counts their results."""
    result = group(nothing.s() for _ in range(count)).apply_async()
    return counter([f"celery-task-meta-{each.id}" for each in result.results])
