"""How much of Redis does a schedule take that only waits?"""

from statistics import median

from redis import Redis

from bench.check_loop import looks
from bench.peer_process import run_peer
from bench.result import Result
from bench.services import Services
from bench.target import at_most

LIMIT_BYTES = 120
SCHEDULES = 10_000
PEER = "rq-scheduler"


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question."""
    theirs = run_peer(services, "redis_bytes", SCHEDULES // 5, runs)
    ours = [_our_bytes(services) for _ in range(runs)]
    question = "Redis for each idle schedule"
    return [
        Result(question=question, case=PEER, unit="bytes", samples=theirs),
        Result(
            question=question,
            case=f"NeonHub, {SCHEDULES:,} schedules",
            unit="bytes",
            samples=ours,
            targets=[at_most(LIMIT_BYTES)],
            peers={PEER: median(theirs)},
        ),
    ]


def _our_bytes(services: Services) -> float:
    """The timers and all else that a scheduler keeps there."""
    services.redis.execute_command("FLUSHALL", "SYNC")  # what is freed later would not count
    before = _used(services.redis)
    with looks(services, "sqlite", SCHEDULES, due=False):
        return (_used(services.redis) - before) / SCHEDULES


def _used(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])
