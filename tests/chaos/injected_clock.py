"""A stock rq-scheduler through a night, by an injected clock: `URL JOB_ID CRON FROM UNTIL CONFIG`.

Its zone is the process', as always with rq-scheduler.
"""

import json
import sys
from datetime import UTC, datetime

from redis import Redis
from rq_scheduler import scheduler, utils

from tests.chaos.stock_job import JOB

POLL_SECONDS = 60
"""How often `rqscheduler` looks unless told otherwise."""


class Clock(datetime):
    """What rq-scheduler takes for the clock."""

    seconds = 0.0

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        """The injected instant as the wall clock of this process' zone shows it."""
        return datetime.fromtimestamp(cls.seconds)

    @classmethod
    def utcnow(cls) -> datetime:  # type: ignore[override]
        """The injected instant in UTC, without its zone."""
        return datetime.fromtimestamp(cls.seconds, UTC).replace(tzinfo=None)


def main(url: str, job_id: str, cron: str, start: str, end: str, config: str) -> None:
    """Schedule a job and look for what is due until the end of the night."""
    scheduler.datetime = utils.datetime = Clock
    Clock.seconds = datetime.fromisoformat(start).timestamp()
    with Redis.from_url(url) as redis:
        stock = scheduler.Scheduler(connection=redis, interval=POLL_SECONDS)
        stock.cron(cron, JOB, args=[json.loads(config)], id=job_id)
        while Clock.seconds < datetime.fromisoformat(end).timestamp():
            stock.enqueue_jobs()
            Clock.seconds += POLL_SECONDS


if __name__ == "__main__":
    main(*sys.argv[1:])
