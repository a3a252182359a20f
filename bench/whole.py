"""A started system, as a user has it, on the run's Redis and a database of its own."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import requests

from bench.services import Services
from tests.e2e.running import ROOT, RunningSystem, free_port
from tests.waiting import wait_until

AGENT = "idler"
READY_SECONDS = 120


@contextmanager
def start_system(services: Services, kind: str, **env: str) -> Iterator[RunningSystem]:
    """Start everything with its defaults, and an agent that does nothing.

    Args:
        kind: `sqlite` or `postgres`.
        env: Settings beside those of the run.
    """
    services.redis.flushall()
    settings = _settings(services, kind)
    with RunningSystem(services.new_folder(), env=settings | env) as system:
        _add_idler(system)
        yield system


@contextmanager
def start_without_pool(services: Services, kind: str, **env: str) -> Iterator[RunningSystem]:
    """Start web and scheduler as on many machines, and an agent that does nothing.

    Returns:
        The web, with the environment of both.
    """
    services.redis.flushall()
    settings = _settings(services, kind) | {"PORT": str(free_port())} | env
    with ExitStack() as stack:
        web, _ = [_start_role(stack, services, role, settings) for role in ("web", "scheduler")]
        wait_until(lambda: _is_ready(web), seconds=READY_SECONDS)
        _add_idler(web)
        yield web


def _settings(services: Services, kind: str) -> dict[str, str]:
    return {
        "DATABASE_URL": services.fresh_url(kind),
        "REDIS_URL": services.redis_url,
        "NEONHUB_AGENT_MODULES": "tests.agents_for_tests",
        "PYTHONPATH": str(ROOT),
        "LOG_LEVEL": "warning",
    }


def _start_role(
    stack: ExitStack, services: Services, role: str, env: dict[str, str]
) -> RunningSystem:
    command = [sys.executable, "-m", "neonhub", role]
    part = RunningSystem(services.new_folder(), env=env, command=command)
    part.start(wait=False)
    stack.callback(part.end)
    return part


def _is_ready(web: RunningSystem) -> bool:
    assert not web.has_ended(), web.logged
    try:
        return web.get("/readyz").ok
    except requests.RequestException:
        return False


def _add_idler(system: RunningSystem) -> None:
    body = {"id": AGENT, "name": "Idler", "kind": "noop", "config": {}}
    answer = system.post("/api/agents", body)
    assert answer.status_code == 201, answer.text
