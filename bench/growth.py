"""What does the number of schedules change, from 10,000 to 1,000,000?"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice

from redis import Redis

from bench.filled import Filled, filled
from bench.firing import our_ms
from bench.result import Result, p99, timed_ms
from bench.services import Services
from bench.target import Target, at_most
from neonhub.redis import keys
from neonhub.scheduling.repair import Repair

SIZES = (10_000, 100_000, 1_000_000)
LOOKS, WARM_UP = 2000, 100
LIMIT_LOOK_MS, LIMIT_SELECTION_MS, LIMIT_BYTES = 0.3, 1.0, 120
SELECTED = 20
"""What is due in a sweep of a busy system: the rest has been fired by its timers."""


def measure(services: Services, *, runs: int, sizes: Sequence[int] = SIZES) -> list[Result]:
    """The rows of this question; every size has a database of its own, filled once."""
    results = []
    for kind in services.databases:
        firings: dict[str, float] = {}
        for size in sizes:
            with filled(services, kind, size) as found:
                rows = _ask(found, runs, f"{kind}, {size:,} schedules", firings)
            results += rows
            firings = firings or {f"{sizes[0]:,} schedules": rows[1].median}
    return results


def _ask(found: Filled, runs: int, case: str, firings: dict[str, float]) -> list[Result]:
    loaded = Result(
        question="start: all timers set", case=case, unit="ms", samples=[timed_ms(found.load)]
    )
    fired = Result(
        question="firing 2,000 that are due",
        case=case,
        unit="ms",
        samples=[our_ms(found) for _ in range(1 + runs)][1:],
        peers=firings,
        targets=[at_most(2, name) for name in firings],
    )
    return [
        loaded,
        fired,
        _tail("a look with nothing due, p99", case, _looks(found), at_most(LIMIT_LOOK_MS)),
        _tail("due-selection, p99", case, _selections(found), at_most(LIMIT_SELECTION_MS)),
        Result(
            question="Redis per idle schedule",
            case=case,
            unit="bytes",
            samples=[_bytes_per_timer(found.redis)],
            targets=[at_most(LIMIT_BYTES)],
        ),
    ]


def _looks(found: Filled) -> list[float]:
    """Whole steps of the scheduler, an hour before anything is due."""
    before = found.now - timedelta(hours=1)
    return _repeat(lambda: found.scheduler.step(before))


def _selections(found: Filled) -> list[float]:
    """What a sweep asks the database first: the most urgent that are due, by their index."""
    repair = Repair(found.database, found.scheduler.timers, chunk=SELECTED)
    return _repeat(lambda: list(islice(repair.due_until(found.now), 1)))


def _repeat(work: Callable[[], object]) -> list[float]:
    return [timed_ms(work) for _ in range(LOOKS + WARM_UP)][WARM_UP:]


def _tail(question: str, case: str, samples: list[float], target: Target) -> Result:
    """The 99th percentile of each fifth of the samples: one hiccup is not the median's."""
    fifth = len(samples) // 5
    tails = [p99(samples[n * fifth : (n + 1) * fifth]) for n in range(5)]
    return Result(question=question, case=case, unit="ms", samples=tails, targets=[target])


def _bytes_per_timer(redis: Redis) -> float:
    """All that Redis keeps for a schedule that waits."""
    return (redis.memory_usage(keys.TIMERS, samples=0) or 0) / redis.zcard(keys.TIMERS)
