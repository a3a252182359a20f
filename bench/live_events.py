"""How long after an event is published does a WebSocket client have it?"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles

from redis import Redis
from simple_websocket import Client

from bench.result import Result
from bench.services import Services
from bench.target import at_most
from bench.whole import AGENT, start_system
from neonhub.clock import utcnow
from neonhub.events import Event, publish

LIMIT_MS = 100
EVENTS = 200
PATIENCE_SECONDS = 10


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question; no database is on the way."""
    with start_system(services, "sqlite") as system, _watch(system.url) as client:
        found = [[_one_ms(services.redis, client) for _ in range(EVENTS)] for _ in range(1 + runs)]
    middles = [median(latencies) for latencies in found[1:]]
    tails = [quantiles(latencies, n=100)[98] for latencies in found[1:]]
    return [_row("p50", middles), _row("p99", tails)]


@contextmanager
def _watch(url: str) -> Iterator[Client]:
    client = Client(url.replace("http", "ws", 1) + "/ws")
    client.send(json.dumps({"action": "subscribe", "events": ["agent:progress"]}))
    assert json.loads(client.receive(PATIENCE_SECONDS))["event"] == "subscribed"
    yield client
    client.close()


def _one_ms(redis: Redis, client: Client) -> float:
    """Publish one event and wait for it."""
    event = Event("agent:progress", AGENT, None, None, utcnow(), {"progress": 1.0})
    began = time.perf_counter()
    [event_id] = publish(redis, [event])
    received = client.receive(PATIENCE_SECONDS)
    spent = (time.perf_counter() - began) * 1000
    assert received is not None and json.loads(received)["id"] == event_id
    return spent


def _row(percentile: str, samples: list[float]) -> Result:
    return Result(
        question="event to WebSocket client",
        case=f"{percentile} of {EVENTS} events",
        unit="ms",
        samples=samples,
        targets=[at_most(LIMIT_MS)],
    )
