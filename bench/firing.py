"""How long does firing 2,000 of 10,000 schedules take, next to rq-scheduler firing 2,000 jobs?"""

from datetime import UTC, datetime, timedelta
from statistics import median

from redis import Redis
from rq_scheduler import Scheduler

from bench.filled import Filled, filled
from bench.many_schedules import SHAPES as DUE
from bench.result import Result, timed_ms
from bench.rq_jobs import nothing
from bench.services import DATABASES, Services
from bench.target import Target, at_most
from neonhub.redis import keys

QUESTION = "firing 2,000 that are due"
SCHEDULES = 10_000
OTHERS_KEYS = ("rq:scheduler:scheduled_jobs", "rq:queue:bench")
TIMES_FASTER = {"sqlite": 25, "postgres": 15}


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question; the two sides take turns, run by run."""
    results = []
    for kind in DATABASES:
        ours, others = [], []
        with filled(services, kind, SCHEDULES) as found:
            found.load()
            for _ in range(1 + runs):
                ours.append(our_ms(found))
                others.append(_other_ms(services.redis))
        peers = {"rq-scheduler": median(others[1:])}
        target = at_most(1 / TIMES_FASTER[kind], "rq-scheduler")
        results.append(_row(f"rq-scheduler, next to {kind}", others[1:], {}, []))
        results.append(_row(f"NeonHub, {kind}", ours[1:], peers, [target]))
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


def _row(case: str, samples: list[float], peers: dict[str, float], targets: list[Target]) -> Result:
    return Result(
        question=QUESTION, case=case, unit="ms", samples=samples, peers=peers, targets=targets
    )
