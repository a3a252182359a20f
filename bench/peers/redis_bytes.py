"""Bytes of Redis for each idle job of rq-scheduler: `python -m bench.peers.redis_bytes JOBS RUNS`.

https://github.com/rq/rq-scheduler#periodic--repeated-jobs
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta

from redis import Redis
from rq_scheduler import Scheduler

from bench.rq_jobs import nothing


def main(jobs: int, runs: int) -> list[float]:
    """Bytes of each run."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    scheduler = Scheduler(queue_name="bench", connection=redis)
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    samples = []
    for _ in range(runs):
        redis.execute_command("FLUSHALL", "SYNC")
        before = _used(redis)
        for _ in range(jobs):
            scheduler.schedule(later, nothing, interval=3600)
        samples.append((_used(redis) - before) / jobs)
    return samples


def _used(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
