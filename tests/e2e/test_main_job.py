"""The main job through the front doors: REST, WebSocket, a stock worker, the file agents write."""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import websockets.sync.client as websocket
from psutil import Popen

from tests.e2e.running import ROOT, RunningSystem
from tests.waiting import wait_until

MODULES = {"NEONHUB_AGENT_MODULES": "tests.agents_for_tests", "PYTHONPATH": str(ROOT)}
ENDED = {"COMPLETED", "FAILED", "STOPPED"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A started system with the test agents, that no test ends."""
    with RunningSystem(tmp_path_factory.mktemp("main"), env=MODULES) as system:
        yield system


def agent(system: RunningSystem, id: str, kind: str, **config: Any) -> str:
    body = {"id": id, "name": id, "kind": kind, "config": config}
    assert system.post("/api/agents", body).status_code == 201
    return id


def run(system: RunningSystem, agent_id: str, **body: Any) -> str:
    answer = system.post(f"/api/agents/{agent_id}/run", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def session(system: RunningSystem, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = system.get(f"/api/sessions/{session_id}").json()
    return found


def ended(system: RunningSystem, session_id: str, seconds: float = 30) -> dict[str, Any]:
    wait_until(lambda: session(system, session_id)["status"] in ENDED, seconds=seconds)
    return session(system, session_id)


def is_running(system: RunningSystem, session_id: str) -> bool:
    return bool(session(system, session_id)["status"] == "RUNNING")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def watching(system: RunningSystem, **subscription: Any) -> Iterator[Any]:
    with websocket.connect(system.url.replace("http", "ws") + "/ws") as socket:
        socket.send(json.dumps({"action": "subscribe", **subscription}))
        assert json.loads(socket.recv(timeout=10))["event"] == "subscribed"
        yield socket


def hear_until(socket: Any, last: str) -> list[dict[str, Any]]:
    heard = [json.loads(socket.recv(timeout=30))]
    while heard[-1]["event"] != last:
        heard.append(json.loads(socket.recv(timeout=30)))
    return heard


def test_a_schedule_fires_on_time_and_everyone_sees_it(system: RunningSystem) -> None:
    agent(system, "ticker", "slow", seconds=0.2, steps=4)
    with watching(system, agentIds=["ticker"]) as socket:
        body = {"interval": "every 2 seconds"}
        assert system.post("/api/agents/ticker/schedule", body).status_code == 201
        rounds = [hear_until(socket, "agent:completed") for _ in range(3)]
    system.post("/api/agents/ticker/schedule", {**body, "enabled": False})
    for heard in rounds:
        assert [event["event"] for event in heard] == [
            "agent:started",
            *["agent:progress"] * 4,
            "agent:completed",
        ]
    sessions = system.get("/api/agents/ticker/sessions?status=COMPLETED").json()["items"]
    planned = sorted(instant(each["scheduledFor"]) for each in sessions)
    assert {b - a for a, b in itertools.pairwise(planned)} == {timedelta(seconds=2)}
    assert all(instant(s["startedAt"]) >= instant(s["scheduledFor"]) for s in sessions)


def test_a_flaky_agent_is_retried_after_one_two_and_four_seconds(system: RunningSystem) -> None:
    agent(system, "flaky", "flaky", failures=3)
    with watching(system, agentIds=["flaky"]) as socket:
        session_id = run(system, "flaky")
        heard = hear_until(socket, "agent:completed")
    failed = [event for event in heard if event["event"] == "agent:failed"]
    waits = [
        round((instant(e["data"]["nextAttemptAt"]) - instant(e["timestamp"])).total_seconds())
        for e in failed
    ]
    assert waits == [1, 2, 4]
    assert all(event["data"]["willRetry"] for event in failed)
    last = session(system, session_id)
    assert (last["status"], last["attempt"], last["result"]) == ("COMPLETED", 4, {"attempt": 4})


def test_a_critical_one_overtakes_four_low_ones_when_all_are_busy(
    system: RunningSystem, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    agent(system, "busy", "slow", seconds=60, steps=600)
    agent(system, "quick", "recorder", path=str(trace))
    busy = [run(system, "busy") for _ in range(5)]
    wait_until(lambda: all(is_running(system, each) for each in busy), seconds=20)
    low = [run(system, "quick", priority="LOW") for _ in range(4)]
    critical = run(system, "quick", priority="CRITICAL")
    system.post(f"/api/sessions/{busy[0]}/stop", {})
    for each in (*low, critical):
        assert ended(system, each)["status"] == "COMPLETED"
    assert trace.read_text().split()[0] == critical
    for each in busy[1:]:
        system.post(f"/api/sessions/{each}/stop", {})
    assert {ended(system, each)["status"] for each in busy} == {"STOPPED"}


def test_three_stock_workers_beside_the_pool_never_bring_more_than_five(
    system: RunningSystem, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    agent(system, "crowd", "recorder", path=str(trace), seconds=1)
    command, env = system.worker_line()
    log = (tmp_path / "stock.log").open("w")
    with log:
        stock = [
            Popen(command, env=env, cwd=system.folder, stdout=log, stderr=log) for _ in range(3)
        ]
        try:
            wait_until(lambda: len(_workers(system)) == 8, seconds=20)
            sessions = [run(system, "crowd", priority="LOW") for _ in range(20)]
            ends = [ended(system, each, seconds=60) for each in sessions]
        finally:
            for worker in stock:
                worker.send_signal(signal.SIGTERM)
            for worker in stock:
                worker.wait(20)
    assert {each["status"] for each in ends} == {"COMPLETED"}
    assert _most_at_once(trace) == 5
    assert "Job OK" in (tmp_path / "stock.log").read_text()
    lines = [line.split() for line in trace.read_text().splitlines()]
    assert sorted(line[0] for line in lines if line[3] == "start") == sorted(sessions)


def _workers(system: RunningSystem) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.get("/api/scheduler/status").json()["workers"]
    return found


def _most_at_once(trace: Path) -> int:
    running = most = 0
    for line in trace.read_text().splitlines():
        running += 1 if line.endswith("start") else -1
        most = max(most, running)
    return most


def test_a_stop_is_obeyed_or_enforced(system: RunningSystem) -> None:
    agent(system, "deaf", "stubborn")
    with watching(system, agentIds=["deaf"], events=["agent:failed"]) as socket:
        session_id = run(system, "deaf")
        wait_until(lambda: is_running(system, session_id), seconds=20)
        for _ in range(3):
            assert system.post(f"/api/sessions/{session_id}/stop", {}).status_code == 202
        [told] = hear_until(socket, "agent:failed")
    assert (told["data"]["status"], told["data"]["willRetry"]) == ("STOPPED", False)
    assert ended(system, session_id)["status"] == "STOPPED"
    assert system.post(f"/api/sessions/{session_id}/stop", {}).status_code == 409
    again = system.post(f"/api/sessions/{session_id}/retry", {})
    assert (again.status_code, again.json()["trigger"]) == (202, "RETRY")
    system.post(f"/api/sessions/{again.json()['id']}/stop", {})
    ended(system, again.json()["id"])


def test_paused_nothing_fires_and_run_now_works(system: RunningSystem) -> None:
    agent(system, "resting", "noop")
    assert system.post("/api/scheduler/pause", {"reason": "test"}).json()["state"] == "PAUSED"
    system.post("/api/agents/resting/schedule", {"interval": 1})
    skipped = "/api/agents/resting/sessions?status=SKIPPED"
    wait_until(lambda: system.get(skipped).json()["total"] > 0, seconds=20)
    assert system.get(skipped).json()["items"][0]["reason"] == "paused"
    assert ended(system, run(system, "resting"))["status"] == "COMPLETED"
    assert system.post("/api/scheduler/resume", {}).json()["state"] == "RUNNING"
    done = "/api/agents/resting/sessions?status=COMPLETED&trigger=SCHEDULE"
    wait_until(lambda: system.get(done).json()["total"] > 0, seconds=20)
    system.post("/api/agents/resting/schedule", {"interval": 1, "enabled": False})


def test_two_schedulers_fire_each_tick_once(system: RunningSystem) -> None:
    agent(system, "once", "noop")
    worker, env = system.worker_line()
    env["REDIS_URL"] = worker[worker.index("-u") + 1]
    second = Popen(
        [sys.executable, "-m", "workers.scheduler"],
        env=env,
        cwd=system.folder,
        stderr=subprocess.DEVNULL,
    )
    try:
        alive = "/api/scheduler/status"
        wait_until(lambda: len(system.get(alive).json()["schedulers"]) == 2, seconds=20)
        system.post("/api/agents/once/schedule", {"interval": 1, "overlap": "ALLOW"})
        fired = "/api/agents/once/sessions?trigger=SCHEDULE"
        wait_until(lambda: system.get(fired).json()["total"] >= 5, seconds=30)
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(20)
    system.post("/api/agents/once/schedule", {"interval": 1, "enabled": False})
    planned = [each["scheduledFor"] for each in system.get(fired).json()["items"]]
    assert len(planned) == len(set(planned))


def test_a_killed_system_goes_on_where_it_stood(tmp_path: Path) -> None:
    env = {**MODULES, "SCHEDULER_LEASE": "3000"}
    with RunningSystem(tmp_path, env=env) as system:
        agent(system, "interrupted", "slow", seconds=3, steps=30)
        session_id = run(system, "interrupted")
        wait_until(lambda: is_running(system, session_id), seconds=20)
        everything = system.processes()
        system.send(signal.SIGKILL)
        wait_until(lambda: not any(p.is_running() for p in everything[1:]), seconds=10)
        assert system.process is not None
        system.process.wait()
        system.start()
        last = ended(system, session_id, seconds=60)
    assert (last["status"], last["attempt"]) == ("COMPLETED", 2)


@pytest.mark.parametrize("schema", ["", "?schema=public"])
def test_postgres_and_an_own_redis_by_url(
    tmp_path: Path, postgres_url: str, redis_url: str, schema: str
) -> None:
    plain = postgres_url.replace("postgresql+psycopg", "postgresql")
    joined = f"&{schema[1:]}" if "?" in plain and schema else schema
    env = {**MODULES, "DATABASE_URL": plain + joined, "REDIS_URL": redis_url}
    with RunningSystem(tmp_path, env=env) as system:
        agent(system, "reporter", "echo", a=1)
        last = ended(system, run(system, "reporter", input={"b": 2}))
    assert (last["status"], last["result"]) == ("COMPLETED", {"a": 1, "b": 2})
