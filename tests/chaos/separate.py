"""A system of separate processes, as on many machines, whose processes are restarted one by one."""

import itertools
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import requests

from neonhub.database import Database
from tests.chaos.harness import QUICK
from tests.chaos.proxy import Proxy
from tests.e2e.running import RunningSystem
from tests.waiting import wait_until

COMMANDS = {"pool": "workers.pool", "web": "workers.web", "scheduler": "workers.scheduler"}
"""The module of each role, in the order of the restarts."""

EACH = 2
"""Processes of each role."""

WORKERS = 3
"""Of each pool."""

READY_SECONDS = 90
END_SECONDS = 15
"""What the operations document says that a process may take."""

State = dict[str, Any]


class Balancer(Proxy):
    """Gives each connection to the next web process that takes it."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__(0)
        self._ports = itertools.cycle(ports)
        self._count = len(ports)

    def _connect(self) -> socket.socket:
        for port in itertools.islice(self._ports, self._count - 1):
            try:
                return socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                continue
        return socket.create_connection(("127.0.0.1", next(self._ports)))


class SeparateSystem:
    """Two of each process, with folders of their own, behind a balancer."""

    def __init__(self, folder: Path, *, database_url: str, redis_url: str) -> None:
        """
        Args:
            folder: Each process gets a working folder in it.
        """
        env = {**QUICK, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        env["NEONHUB_POOL_SIZE"] = str(WORKERS)
        self.parts = {
            f"{role}-{number}": _part(role, folder / f"{role}-{number}", env)
            for number in range(EACH)
            for role in COMMANDS
        }
        self.webs = [part for name, part in self.parts.items() if name.startswith("web")]
        self.database = Database(database_url)
        self._complained: list[str] = []

    def __enter__(self) -> Self:
        ports = [int(web.env["PORT"]) for web in self.webs]
        with ExitStack() as stack:
            balancer = stack.enter_context(Balancer(ports))
            self.url = f"http://127.0.0.1:{balancer.port}"
            stack.callback(self.database.close)
            for part in self.parts.values():
                part.start(wait=False)
                stack.callback(part.end)
            wait_until(self._is_ready, seconds=READY_SECONDS)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart(self, name: str) -> int:
        """Ask a process to end, and start another in its place; the API is served all the time.

        Returns:
            The exit code of the one that ended.
        """
        part = self.parts[name]
        assert part.process is not None
        part.process.terminate()
        self._wait_served(lambda _: part.has_ended(), END_SECONDS)
        self._complained += _complaints(part)
        code = int(part.process.wait())
        part.start(wait=False)
        self._wait_served(_is_complete, READY_SECONDS)
        return code

    def complaints(self) -> list[str]:
        """What the processes have logged as errors, and whatever is no log line."""
        now = [line for part in self.parts.values() for line in _complaints(part)]
        return self._complained + now

    def _is_ready(self) -> bool:
        ended = [name for name, part in self.parts.items() if part.has_ended()]
        assert not ended, (ended, self.complaints())
        return _is_complete(self._states())

    def _wait_served(self, condition: Callable[[list[State]], bool], seconds: float) -> None:
        def look() -> bool:
            states = self._states()
            assert "RUNNING" in [state.get("state") for state in states], states
            return condition(states)

        wait_until(look, seconds=seconds)

    def _states(self) -> list[State]:
        return [_state(web) for web in self.webs]


def _part(role: str, folder: Path, env: Mapping[str, str]) -> RunningSystem:
    folder.mkdir()
    return RunningSystem(folder, env=env, command=(sys.executable, "-m", COMMANDS[role]))


def _complaints(part: RunningSystem) -> list[str]:
    lines = part.logged.splitlines()
    return [line for line in lines if '"level": "error"' in line or not line.startswith("{")]


def _state(web: RunningSystem) -> State:
    """The state of the whole system as one web process tells it; empty if it does not."""
    try:
        answer = web.get("/api/scheduler/status")
    except requests.RequestException:
        return {}
    state: State = answer.json() if answer.ok else {}
    return state


def _is_complete(states: list[State]) -> bool:
    """Whether every process does its work."""
    return all(
        len(state.get("schedulers", ())) == EACH and len(state.get("workers", ())) == EACH * WORKERS
        for state in states
    )
