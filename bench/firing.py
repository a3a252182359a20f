"""How long does firing 1,000 schedules take, next to rq-scheduler firing 1,000 jobs?"""

from datetime import UTC, datetime, timedelta
from statistics import median

from redis import Redis
from rq_scheduler import Scheduler

from bench.check_loop import DUE, Looks, looks
from bench.result import Result, timed_ms
from bench.rq_jobs import nothing
from bench.services import DATABASES, Services

QUESTION = "firing 1,000 that are due"
OTHERS_KEYS = ("rq:scheduler:scheduled_jobs", "rq:queue:bench")


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question; the two sides take turns, run by run."""
    results = []
    for kind in DATABASES:
        ours, others = [], []
        with looks(services, kind, DUE, due=True) as found:
            for _ in range(1 + runs):
                ours.append(_our_ms(found))
                others.append(_other_ms(services.redis))
        results.append(_row(f"rq-scheduler, next to {kind}", others[1:], {}))
        results.append(_row(f"NeonHub, {kind}", ours[1:], {"rq-scheduler": median(others[1:])}))
    return results


def _our_ms(found: Looks) -> float:
    """Sessions are written, the next instants decided, jobs pushed."""
    found.next_minute()
    spent = timed_ms(found.look)
    assert found.found == DUE, found.found
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


def _row(case: str, samples: list[float], peers: dict[str, float]) -> Result:
    return Result(question=QUESTION, case=case, unit="ms", samples=samples, peers=peers)
