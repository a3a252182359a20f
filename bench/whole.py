"""A started system, as a user has it, on the run's Redis and a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.services import Services
from tests.e2e.running import ROOT, RunningSystem

AGENT = "idler"


@contextmanager
def start_system(services: Services, kind: str, **env: str) -> Iterator[RunningSystem]:
    """Start everything with its defaults, and an agent that does nothing.

    Args:
        kind: `sqlite` or `postgres`.
        env: Settings beside those of the run.
    """
    services.redis.flushall()
    settings = {
        "DATABASE_URL": services.fresh_url(kind),
        "REDIS_URL": services.redis_url,
        "NEONHUB_AGENT_MODULES": "tests.agents_for_tests",
        "PYTHONPATH": str(ROOT),
        "LOG_LEVEL": "warning",
    }
    with RunningSystem(services.new_folder(), env=settings | env) as system:
        body = {"id": AGENT, "name": "Idler", "kind": "noop", "config": {}}
        answer = system.post("/api/agents", body)
        assert answer.status_code == 201, answer.text
        yield system
