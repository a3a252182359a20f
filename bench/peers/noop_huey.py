"""huey: one consumer with five worker processes, results kept."""

import os
from collections.abc import Callable

from huey import RedisHuey

# https://huey.readthedocs.io/en/latest/api.html#RedisHuey; what returns None has no result.
huey = RedisHuey("bench", url=os.environ["REDIS_URL"])

WORKERS = ["huey_consumer bench.peers.noop_huey.huey --workers 5 --worker-type process --quiet"]
"""https://huey.readthedocs.io/en/latest/consumer.html: `process` for work that is CPU-bound."""

PROCESSES = 7


@huey.task()
def nothing() -> bool:
    """Return at once."""
    return True


def enqueue(count: int) -> Callable[[], int]:
    """Queue tasks; what counts their results."""
    before = huey.result_count()
    for _ in range(count):
        nothing()
    return lambda: huey.result_count() - before
