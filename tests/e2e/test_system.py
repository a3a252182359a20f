"""The whole system on one machine: started by one command, ended by one signal."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
import websockets.sync.client as websocket
from websockets.exceptions import ConnectionClosed

from tests.e2e.running import RunningSystem, all_gone, free_port, is_running
from tests.waiting import wait_until

SEEDED = {
    "content-creator": "0 9 * * *",
    "trend-analyzer": "0 */6 * * *",
    "customer-support": "*/30 9-17 * * 1-5",
    "performance-optimizer": "0 2 * * 0",
    "email-marketer": "0 8 * * 1-5",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A started system that no test ends."""
    with RunningSystem(tmp_path_factory.mktemp("shared")) as system:
        yield system


@pytest.fixture
def system(tmp_path: Path) -> Iterator[RunningSystem]:
    """A started system of one test's own, on SQLite and its own server."""
    with RunningSystem(tmp_path) as system:
        yield system


@pytest.fixture
def slow_agents(tmp_path: Path) -> dict[str, str]:
    """Settings that add a kind which runs until it is asked to stop."""
    (tmp_path / "slow_agents.py").write_text(
        "import time\n"
        "from neonhub.agents import BaseAgent\n"
        "class Slow(BaseAgent):\n"
        "    kind = 'slow'\n"
        "    def execute_impl(self, config):\n"
        "        while not self.should_stop:\n"
        "            time.sleep(0.05)\n"
    )
    return {"NEONHUB_AGENT_MODULES": "slow_agents", "PYTHONPATH": str(tmp_path)}


def part(system: RunningSystem, module: str) -> psutil.Process:
    """The process that runs a module."""
    return next(p for p in system.processes() if module in " ".join(p.cmdline()))


def test_it_says_where_it_is_and_is_there(shared: RunningSystem) -> None:
    for path in ("/readyz", "/healthz", "/openapi.json", "/docs"):
        assert shared.get(path).status_code == 200
    assert f"{shared.url}/docs" in shared.said
    assert shared.url.replace("http", "ws") + "/ws" in shared.said


def test_five_agents_are_there_with_their_cadences(shared: RunningSystem) -> None:
    for agent, cron in SEEDED.items():
        schedule = shared.get(f"/api/agents/{agent}/schedule").json()
        assert (schedule["cronExpression"], schedule["enabled"]) == (cron, True)


def test_sigterm_ends_every_process_and_data_stays(system: RunningSystem) -> None:
    made = system.post(
        "/api/agents",
        {"id": "mine", "name": "Mine", "kind": "http", "config": {"url": "https://example.com"}},
    )
    assert made.status_code == 201
    everything = system.processes()
    assert system.end() == 0
    assert all_gone(everything)
    system.start()
    assert system.get("/api/agents/mine").json()["name"] == "Mine"


def test_sigterm_closes_websockets_as_going_away(system: RunningSystem) -> None:
    with websocket.connect(system.url.replace("http", "ws") + "/ws") as client:
        client.send(json.dumps({"action": "ping"}))
        assert json.loads(client.recv()) == {"event": "pong"}
        system.send(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_sigterm_lets_a_running_agent_stop(tmp_path: Path, slow_agents: dict[str, str]) -> None:
    with RunningSystem(tmp_path, env=slow_agents) as system:
        session = _run_slow(system)
        wait_until(lambda: system.get(f"/api/sessions/{session}").json()["status"] == "RUNNING")
        everything = system.processes()
        assert system.end() == 0
        assert all_gone(everything)


def test_a_second_signal_ends_all_at_once(system: RunningSystem) -> None:
    everything, scheduler = system.processes(), part(system, "workers.scheduler")
    part(system, "workers.pool").suspend()
    system.send(signal.SIGINT)
    wait_until(lambda: not is_running(scheduler))
    system.send(signal.SIGINT)
    wait_until(lambda: all_gone(everything), seconds=6)  # a normal end takes over 8


def test_a_killed_parent_leaves_nothing_behind(system: RunningSystem) -> None:
    everything = system.processes()
    system.send(signal.SIGKILL)
    wait_until(lambda: all_gone(everything), seconds=5)


def test_a_killed_system_starts_again_at_once(system: RunningSystem) -> None:
    for _ in range(3):
        system.send(signal.SIGKILL)
        wait_until(system.has_ended)
        system.start()


@pytest.mark.parametrize("module", ["workers.scheduler", "workers.pool", "gunicorn", "valkey"])
def test_a_part_that_dies_comes_back(shared: RunningSystem, module: str) -> None:
    deaths = shared.logged.count("starts again") + shared.logged.count("SIGKILL")
    dying = part(shared, module)
    below = dying.children(recursive=True)
    dying.kill()
    wait_until(lambda: all_gone(below))  # a web worker answers until it has ended
    wait_until(
        lambda: shared.logged.count("starts again") + shared.logged.count("SIGKILL") > deaths
    )
    wait_until(lambda: _is_ready(shared), seconds=20)


def _is_ready(system: RunningSystem) -> bool:
    """A web process that is just ending may close a connection that it still took."""
    try:
        return system.get("/readyz").status_code == 200
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        ("GET /api/agents?q=" + "x" * 9000 + " HTTP/1.1", 414),
        ("GET /api/agents HTTP/1.1\r\nX-Long: " + "x" * 9000, 431),
        ("GET /api/agents HTTP/1.1\r\nBad Header: 1", 400),
        ("nonsense", 400),
    ],
)
def test_what_is_no_http_is_refused_in_the_shape_of_all_errors(
    shared: RunningSystem, request_line: str, code: int
) -> None:
    with socket.create_connection(("127.0.0.1", int(shared.env["PORT"])), timeout=10) as raw:
        raw.sendall(f"{request_line}\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = raw.makefile("rb").read().partition(b"\r\n\r\n")
    error = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {code} ".encode())
    assert (error["code"], sorted(error)) == (code, ["code", "message", "requestId", "status"])


@pytest.mark.parametrize("kind", ["Chunked", "chunked"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"ZZ\r\n", 400),
        (b"2\r\n{}X", 400),
        (b"2\r\n{", 400),
        (b"0\r\nNo Trailer\r\n\r\n", 400),
        (b"200000\r\n" + b" " * 0x200000 + b"\r\n0\r\n\r\n", 413),
        (b"100000\r\n" + b" " * (0x100000 - 2) + b"{}\r\n0\r\n\r\n", 200),
        (b"2\r\n{}\r\n0\r\n\r\n", 200),
    ],
    ids=["size", "end", "cut", "trailer", "over the limit", "at the limit", "fine"],
)
def test_a_body_in_chunks_is_read_or_refused(
    shared: RunningSystem, kind: str, body: bytes, code: int
) -> None:
    head = (
        "POST /api/scheduler/resume HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nTransfer-Encoding: {kind}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(shared.env["PORT"])), timeout=10) as raw:
        raw.sendall(head.encode() + body)
        raw.shutdown(socket.SHUT_WR)
        answer = raw.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {code} ".encode()), answer
    assert b"not valid JSON" not in answer
    assert "Traceback" not in shared.logged and "A request failed" not in shared.logged


def test_a_port_in_use_is_one_line(shared: RunningSystem, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = RunningSystem(other, env={"PORT": shared.env["PORT"]})
    second.start(wait=False)
    wait_until(second.has_ended)
    assert second.logged.startswith(f"PORT is '{shared.env['PORT']}': must be a port that is free")
    assert second.logged.count("\n") == 1


def test_a_data_folder_in_use_is_one_line(shared: RunningSystem, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    data_dir = shared.folder / ".neonhub"
    second = RunningSystem(other, env={"NEONHUB_DATA_DIR": str(data_dir)})
    second.start(wait=False)
    wait_until(second.has_ended)
    assert second.logged.startswith(f"NEONHUB_DATA_DIR is '{data_dir}': must be a folder no other")
    assert second.logged.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("NEONHUB_AGENT_MODULES", "no_such_module"),
        ("NODE_ENV", "production"),
    ],
)
def test_a_wrong_setting_stops_the_start(tmp_path: Path, name: str, value: str) -> None:
    system = RunningSystem(tmp_path, env={name: value})
    system.start(wait=False)
    wait_until(system.has_ended, seconds=30)
    assert system.process is not None
    assert system.process.returncode != 0
    assert "Traceback" not in system.logged


def test_the_worker_line_it_prints_works(shared: RunningSystem) -> None:
    words, env = shared.worker_line()
    done = subprocess.run(
        [*words, "--burst"],
        cwd=shared.folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "critical, high, normal, low" in done.stderr + done.stdout


def test_metrics_have_a_port_of_their_own_if_asked(tmp_path: Path) -> None:
    port = free_port()
    with RunningSystem(tmp_path, env={"PROMETHEUS_PORT": str(port)}) as system:
        system.url = f"http://127.0.0.1:{port}"
        assert system.get("/metrics").status_code == 200
        assert system.get("/api/agents").status_code == 404


def _run_slow(system: RunningSystem) -> str:
    agent = {"id": "slow", "name": "Slow", "kind": "slow", "config": {}}
    assert system.post("/api/agents", agent).status_code == 201
    return str(system.post("/api/agents/slow/run", {}).json()["id"])
