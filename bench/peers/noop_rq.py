"""RQ: five stock workers, results kept as by default."""

import os
from collections.abc import Callable

from redis import Redis
from rq import Queue

from bench.rq_jobs import nothing

queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))

WORKERS = [f"rq worker --quiet --url {os.environ['REDIS_URL']}"] * 5
"""https://python-rq.org/docs/workers/"""

PROCESSES = 5


def enqueue(count: int) -> Callable[[], int]:
    """Queue jobs in one pipeline; what counts those that have ended."""
    finished = queue.finished_job_registry
    before = finished.get_job_count(cleanup=False)
    queue.enqueue_many([Queue.prepare_data(nothing) for _ in range(count)])
    return lambda: finished.get_job_count(cleanup=False) - before
