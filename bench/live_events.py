"""How long after an event is published do WebSocket clients have it: 100 of them, and 5,000?

The clients are one thread of this process, and share the machine's cores with the server.
"""

import time
from statistics import median

from redis import Redis

from bench.requests_paced import Pace, answers_ms, start_requests
from bench.result import Result, p99
from bench.services import Services
from bench.socket_crowd import Crowd
from bench.target import Target, at_least, at_most
from bench.whole import AGENT, start_system
from neonhub.clock import utcnow
from neonhub.events import Event, publish

FEW, MANY = 100, 5000
EVENTS = 200
LIMIT_FEW_MS = 10
LIMIT_MANY_MS = 150
LIMIT_HEALTH_MS = 50
HEALTH_PER_SECOND = 20


def measure(services: Services, *, runs: int, many: int = MANY) -> list[Result]:
    """The rows of this question; no database is on the way."""
    with start_system(services, "sqlite") as system:
        port = int(system.env["PORT"])
        few = _to_few(services.redis, port, runs)
        return [*few, *_to_many(services.redis, port, runs, many)]


def _to_few(redis: Redis, port: int, runs: int) -> list[Result]:
    """One event after another, each as soon as all have the one before."""
    with Crowd(port, FEW) as crowd:
        found = [_some_events(redis, crowd) for _ in range(1 + runs)][1:]
    case = f"{FEW} clients, {EVENTS} events"
    return [
        _row(f"{case}, p50", [median(each) for each in found]),
        _row(f"{case}, p99", [p99(each) for each in found], at_most(LIMIT_FEW_MS)),
    ]


def _some_events(redis: Redis, crowd: Crowd) -> list[float]:
    return [waited for _ in range(EVENTS) for waited in _one_event(redis, crowd)]


def _to_many(redis: Redis, port: int, runs: int, size: int) -> list[Result]:
    """One event a second; each is a run."""
    with Crowd(port, size) as crowd:
        _one_event(redis, crowd)
        health = start_requests(
            Pace(
                port=port,
                path="/healthz",
                per_second=HEALTH_PER_SECOND,
                seconds=runs,
            )
        )
        found = [_at_next_second(redis, crowd) for _ in range(runs)]
        health_ms = answers_ms(health)
    case = f"{size:,} clients, an event a second"
    served = [float(len(each)) for each in found]
    return [
        _row(f"{case}, p50", [median(each) for each in found]),
        _row(f"{case}, p99", [p99(each) for each in found], at_most(LIMIT_MANY_MS)),
        Result(
            question="clients served",
            case=case,
            unit="clients",
            samples=served,
            targets=[at_least(size)],
        ),
        Result(
            question="/healthz meanwhile, p99",
            case=case,
            unit="ms",
            samples=[p99(health_ms)],
            targets=[at_most(LIMIT_HEALTH_MS)],
        ),
    ]


def _at_next_second(redis: Redis, crowd: Crowd) -> list[float]:
    began = time.perf_counter()
    found = _one_event(redis, crowd)
    time.sleep(max(0.0, began + 1 - time.perf_counter()))
    return found


def _one_event(redis: Redis, crowd: Crowd) -> list[float]:
    """Publish one, and wait until all have it."""
    event = Event("agent:progress", AGENT, None, None, utcnow(), {"progress": 1.0})
    began = time.perf_counter()
    [event_id] = publish(redis, [event])
    return crowd.hear(event_id.encode(), since=began)


def _row(case: str, samples: list[float], *targets: Target) -> Result:
    return Result(
        question="event to WebSocket client", case=case, unit="ms", samples=samples, targets=targets
    )
