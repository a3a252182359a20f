"""What a quiet system holds, and whether it grows."""

import statistics
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import psutil
from redis import Redis

from neonhub.redis import keys
from tests.chaos.harness import Harness

PARTS = ("web", "web-worker", "scheduler", "pool", "server")
"""What must be there again before the system is counted."""

SETTLING_SECONDS = 8
"""From the end of all work until the system is counted: a part started again takes a while."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The whole system, all its processes together."""

    seconds: float
    memory_mb: float  # PSS
    processes: int
    threads: int
    descriptors: int
    redis_clients: int
    redis_keys: int
    redis_kb: float  # without the events kept for replay, which have a bound of their own


def take_sample(harness: Harness, seconds: float) -> Sample:
    """Count what the system holds once it is quiet.

    Args:
        harness: The system.
        seconds: Since the run began.
    """
    for part in PARTS:
        harness.wait_for(part)
    time.sleep(SETTLING_SECONDS)
    memory, threads, descriptors, count = 0, 0, 0, 0
    for process in harness.system.processes():
        with suppress(psutil.NoSuchProcess):
            memory += process.memory_full_info().pss
            threads += process.num_threads()
            descriptors += process.num_fds()
            count += 1
    with harness.redis() as redis:
        clients = redis.info("clients")["connected_clients"]
        size = redis.dbsize()
        kilobytes = _bytes_without_events(redis) / 1024
    return Sample(
        seconds=round(seconds),
        memory_mb=round(memory / 2**20, 1),
        processes=count,
        threads=threads,
        descriptors=descriptors,
        redis_clients=clients,
        redis_keys=size,
        redis_kb=round(kilobytes, 1),
    )


def _bytes_without_events(redis: Redis) -> int:
    used = redis.info("memory")["used_memory_dataset"]
    kept = (cast(Any, redis.memory_usage(key)) for key in (keys.EVENTS_STREAM, keys.EVENTS_SEEN))
    return int(used) - sum(size or 0 for size in kept)


def grown(samples: list[Sample]) -> dict[str, dict[str, float]]:
    """Per figure its median, its slope an hour, and its last third's median over its first's.

    Raises:
        ValueError: There are fewer than three samples.
    """
    third = len(samples) // 3
    if not third:
        raise ValueError(f"{len(samples)} samples are too few to see growth: 3 are the least.")
    hours = [sample.seconds / 3600 for sample in samples]
    found = {}
    for name in asdict(samples[0]):
        if name != "seconds":
            values = [float(getattr(sample, name)) for sample in samples]
            first, last = statistics.median(values[:third]), statistics.median(values[-third:])
            found[name] = {
                "median": statistics.median(values),
                "per_hour": round(statistics.linear_regression(hours, values).slope, 2),
                "thirds": round(last / first, 3),
            }
    return found
