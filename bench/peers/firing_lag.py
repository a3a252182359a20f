"""How late RQ's schedulers are: `python -m bench.peers.firing_lag NAME FIRINGS`.

An idle system, one firing a second. Prints the milliseconds from each due instant until the job
was on its queue, and until its function ran.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from redis import Redis
from rq_scheduler import Scheduler

from bench.peers.processes import start_workers, wait_until
from bench.rq_jobs import NOTES, note

URL = os.environ["REDIS_URL"]
SKIPPED = 2
"""The first firings, by processes that are still warming up, don't count."""

WORKER = f"rq worker --quiet --url {URL} bench"


def rq_scheduler(firings: int) -> list[list[float]]:
    """https://github.com/rq/rq-scheduler#running-the-scheduler

    It keeps whole seconds; `--interval` may be a fraction, and a tenth is what we give it.
    """
    redis = Redis.from_url(URL)
    scheduler = Scheduler(queue_name="bench", connection=redis)
    with start_workers([f"rqscheduler --url {URL} --interval 0.1", WORKER], 2):
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        instants = [first + timedelta(seconds=n) for n in range(firings + SKIPPED)]
        for at in instants:
            scheduler.enqueue_at(at.replace(tzinfo=None), note, at.timestamp())
        found = _notes(redis, len(instants))
    return [[_ms(due, queued), _ms(due, ran)] for due, queued, ran in found]


def rq_cron(firings: int) -> list[list[float]]:
    """https://python-rq.org/docs/cron/

    A job's next instant is an interval after the one before was queued.
    """
    redis = Redis.from_url(URL)
    commands = [f"rq cron --url {URL} --logging-level error bench.peers.cron_config", WORKER]
    with start_workers(commands, 2):
        found = _notes(redis, firings + SKIPPED + 1)
    firsts = [(before[1] + 1, queued, ran) for before, (_, queued, ran) in pairwise(found)]
    return [[_ms(due, queued), _ms(due, ran)] for due, queued, ran in firsts]


PEERS: dict[str, Callable[[int], list[list[float]]]] = {
    "rq-scheduler": rq_scheduler,
    "rq-cron": rq_cron,
}


def _notes(redis: Redis, wanted: int) -> list[list[float]]:
    """What the jobs noted, in their order; asking before they are there would keep Redis busy."""
    time.sleep(wanted)
    wait_until(lambda: redis.llen(NOTES) >= wanted, seconds=wanted + 60)
    return [json.loads(each) for each in redis.lrange(NOTES, 0, wanted - 1)]


def _ms(since: float, until: float) -> float:
    return (until - since) * 1000


if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](int(sys.argv[2]))[SKIPPED:]))
