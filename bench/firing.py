"""How many due schedules are fired in a second, 2,000 of 10,000 at once, next to peers?"""

from datetime import UTC, datetime, timedelta
from statistics import median

from redis import Redis
from rq_scheduler import Scheduler

from bench.filled import Filled, filled
from bench.many_schedules import SHAPES as DUE
from bench.peer_process import run_peer
from bench.result import Result, timed_ms
from bench.rq_jobs import nothing
from bench.services import Services
from bench.target import Target, at_least
from neonhub.redis import keys

REFERENCE = "rq-scheduler"
PEERS = {
    "rq cron": "rq-cron",
    "APScheduler 3": "apscheduler",
    "Celery beat": "celery-beat",
}
"""Name → its function in `bench/peers/firing.py`."""

SCHEDULES = 10_000
OTHERS_KEYS = ("rq:scheduler:scheduled_jobs", "rq:queue:bench")
TIMES_FASTER = {"sqlite": 25, "postgres": 15}


def measure(services: Services, *, runs: int, share: float = 1) -> list[Result]:
    """The rows of this question; rq-scheduler and we take turns, run by run.

    Args:
        share: Of the 2,000, that the peers fire.
    """
    peers = {
        name: run_peer(services, "firing", key, int(DUE * share), runs)
        for name, key in PEERS.items()
    }
    results = [_row(f"{name}, no rows kept", samples) for name, samples in peers.items()]
    medians = {name: median(samples) for name, samples in peers.items()}
    for kind in services.databases:
        ours, others = [], []
        with filled(services, kind, SCHEDULES) as found:
            found.load()
            for _ in range(1 + runs):
                ours.append(1000 * DUE / our_ms(found))
                others.append(1000 * DUE / _other_ms(services.redis))
        known = {REFERENCE: median(others[1:])} | medians
        target = at_least(TIMES_FASTER[kind], REFERENCE)
        results.append(_row(f"{REFERENCE}, no rows kept, next to {kind}", others[1:]))
        results.append(_row(f"NeonHub, {kind}", ours[1:], known, target))
    return results


def our_ms(found: Filled) -> float:
    """Sessions are written, the next instants decided, jobs pushed."""
    spent = timed_ms(found.fire)
    waiting = sum(found.redis.llen(f"rq:queue:{name}") for name in keys.QUEUES)
    assert waiting == DUE, waiting
    found.next_week()
    return spent


def _other_ms(redis: Redis) -> float:
    """Jobs that repeat every minute are pushed, and set again."""
    scheduler = Scheduler(queue_name="bench", connection=redis)
    past = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    jobs = [scheduler.schedule(past, nothing, interval=60) for _ in range(DUE)]
    spent = timed_ms(lambda: list(scheduler.enqueue_jobs()))
    assert redis.llen("rq:queue:bench") == DUE
    redis.delete(*OTHERS_KEYS, *(job.key for job in jobs))
    return spent


def _row(
    case: str, samples: list[float], peers: dict[str, float] | None = None, *targets: Target
) -> Result:
    return Result(
        question="due schedules fired, 2,000 at once",
        case=case,
        unit="/s",
        samples=samples,
        peers=peers or {},
        targets=targets,
    )
