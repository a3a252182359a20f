"""Times one peer firing what is due: `python -m bench.peers.firing NAME SCHEDULES RUNS`.

Prints schedules a second of each run. Nobody takes what is queued.
"""

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from celery import Celery
from celery.beat import PersistentScheduler
from redis import Redis
from rq.cron import CronScheduler
from rq_scheduler import Scheduler

from bench.rq_jobs import nothing

URL = os.environ["REDIS_URL"]
EVERY_SECONDS = 3600


def rq_scheduler(redis: Redis, count: int) -> float:
    """https://github.com/rq/rq-scheduler#periodic--repeated-jobs: the body of its loop."""
    scheduler = Scheduler(queue_name="bench", connection=redis)
    past = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    for _ in range(count):
        scheduler.schedule(past, nothing, interval=EVERY_SECONDS, result_ttl=-1)
    return _seconds(lambda: list(scheduler.enqueue_jobs()))


def rq_cron(redis: Redis, count: int) -> float:
    """https://python-rq.org/docs/cron/: the body of its loop; jobs never run are due at once."""
    scheduler = CronScheduler(connection=redis, logging_level=logging.ERROR)
    for n in range(count):
        scheduler.register(nothing, "bench", interval=EVERY_SECONDS, name=f"n{n}")
    return _seconds(scheduler.enqueue_jobs)


def apscheduler(redis: Redis, count: int) -> float:
    """https://apscheduler.readthedocs.io/en/3.x/userguide.html: the body of its loop."""
    store = RedisJobStore(connection_pool=redis.connection_pool)
    scheduler = BackgroundScheduler(jobstores={"default": store})
    scheduler.start(paused=True)
    past = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(count):
        scheduler.add_job(
            nothing,
            "interval",
            seconds=EVERY_SECONDS,
            next_run_time=past,
            misfire_grace_time=None,
        )
    scheduler.state = 1  # running, as `resume` makes it, which would fire in its own thread
    spent = _seconds(scheduler._process_jobs)
    scheduler.shutdown(wait=True)
    return spent


def celery_beat(redis: Redis, count: int) -> float:
    """https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html: beat's default scheduler.

    Each tick sends one entry; entries without a last run are due at once.
    """
    app = Celery("bench", broker=URL.replace("unix://", "redis+socket://"))
    app.conf.beat_schedule = {
        f"n{n}": {"task": "nothing", "schedule": timedelta(seconds=EVERY_SECONDS)}
        for n in range(count)
    }
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "schedule")
        scheduler = PersistentScheduler(app=app, schedule_filename=file)
        past = datetime.now(UTC) - timedelta(seconds=EVERY_SECONDS + 1)
        for entry in scheduler.schedule.values():
            entry.last_run_at = past
        spent = _seconds(lambda: [scheduler.tick() for _ in range(count)])
        scheduler.close()
        return spent


PEERS: dict[str, Callable[[Redis, int], float]] = {
    "rq-scheduler": rq_scheduler,
    "rq-cron": rq_cron,
    "apscheduler": apscheduler,
    "celery-beat": celery_beat,
}
QUEUES = {"apscheduler": None, "celery-beat": "celery"}


def main(name: str, count: int, runs: int) -> list[float]:
    """Fire so many, again and again, the first time to warm up; schedules a second."""
    redis = Redis.from_url(URL)
    samples = []
    for _ in range(1 + runs):
        redis.flushall()
        samples.append(count / PEERS[name](redis, count))
        queue = QUEUES.get(name, "rq:queue:bench")
        assert queue is None or redis.llen(queue) == count, redis.llen(queue)
    return samples[1:]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
