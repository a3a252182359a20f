"""dramatiq: five processes of one thread, results kept."""

import os
from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend

from bench.peers.results import counter

URL = os.environ["REDIS_URL"]

# https://dramatiq.io/guide.html#redis-broker, https://dramatiq.io/guide.html#results
backend = RedisBackend(url=URL)
broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=backend, store_results=True))
dramatiq.set_broker(broker)

WORKERS = ["dramatiq bench.peers.noop_dramatiq --processes 5 --threads 1"]
"""https://dramatiq.io/guide.html#workers: processes times threads run at once."""

PROCESSES = 6


@dramatiq.actor(store_results=True)
def nothing() -> None:
    """Return at once."""


def enqueue(count: int) -> Callable[[], int]:
    """Queue messages; what counts their results."""
    return counter([backend.build_message_key(nothing.send()) for _ in range(count)])
