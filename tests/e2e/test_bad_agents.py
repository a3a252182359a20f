"""Agents that do their worst, and neighbours that must not notice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neonhub.process import is_alive
from tests.e2e.running import RunningSystem
from tests.waiting import wait_until

ENDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "printer": ({}, {"status": "COMPLETED"}),
    "chatty": ({"messages": 200_000, "lines": 50_000}, {"status": "COMPLETED"}),
    "glutton": ({}, {"status": "FAILED", "error": "MemoryError"}),
    "stubborn": ({}, {"status": "FAILED", "reason": "timeout"}),
    "crasher": ({}, {"status": "FAILED", "error": "ProcessDied"}),
    "forker": ({"seconds": 0.5}, {"status": "COMPLETED"}),
    "unserialisable": ({}, {"status": "FAILED", "error": "ResultNotSerialisable"}),
}
"""Kind → its config, and how its session ends."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system with all of them, and a neighbour that runs each second."""
    env = {
        "NEONHUB_AGENT_MODULES": "tests.agents_for_tests",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SCHEDULER_MAX_RETRIES": "0",
        "SCHEDULER_STOP_GRACE": "500",
        "NEONHUB_MAX_MEMORY_BYTES": str(1024**3),
    }
    with RunningSystem(tmp_path_factory.mktemp("bad"), env=env) as running:
        add(running, "neighbour", "noop")
        body = {"interval": "every second", "priority": "HIGH", "overlap": "ALLOW"}
        assert running.post("/api/agents/neighbour/schedules", body).status_code == 201
        yield running


def add(system: RunningSystem, id: str, kind: str, **config: Any) -> None:
    body = {"id": id, "name": id, "kind": kind, "config": config}
    assert system.post("/api/agents", body).status_code == 201


def read(system: RunningSystem, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = system.get(f"/api/sessions/{session_id}").json()
    return found


def run(system: RunningSystem, kind: str) -> str:
    """Run an agent by a schedule of its own, as timeouts belong to schedules."""
    add(system, kind, kind, **ENDS[kind][0])
    far = {"interval": "every 1000 hours", "timeoutSeconds": 5 if kind == "stubborn" else 60}
    schedule = system.post(f"/api/agents/{kind}/schedules", far).json()
    session: str = system.post(f"/api/schedules/{schedule['id']}/run", {}).json()["id"]
    return session


@pytest.mark.parametrize("kind", ENDS)
def test_a_bad_agent_ends_alone(system: RunningSystem, kind: str) -> None:
    session = run(system, kind)
    wait_until(lambda: read(system, session)["finishedAt"] is not None, seconds=60)
    ended = read(system, session)
    told = {"status": ended["status"], "reason": ended["reason"]}
    told["error"] = ended["error"] and ended["error"]["type"]
    assert told | ENDS[kind][1] == told, ended


def test_no_tick_of_the_neighbour_was_lost_or_late(system: RunningSystem) -> None:
    page = system.get("/api/agents/neighbour/sessions?pageSize=100").json()
    ended = [each for each in page["items"] if each["finishedAt"]]
    assert page["total"] > 3 and len(ended) > 3
    assert {each["status"] for each in ended} == {"COMPLETED"}
    assert {each["attempt"] for each in ended} == {1}


def test_no_worker_was_lost_and_nothing_is_left(system: RunningSystem) -> None:
    assert len(system.get("/api/scheduler/status").json()["workers"]) == 5
    forked = system.get("/api/agents/forker/sessions").json()["items"][0]["result"]["child"]
    assert not is_alive(forked)
