"""Starts NeonHub as a user does, and ends it."""

import os
import shlex
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import requests

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30
END_SECONDS = 20


class RunningSystem:
    """`python app.py` in a folder and an environment of its own; a context manager that ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, str(ROOT / "app.py")),
    ) -> None:
        """
        Args:
            folder: Becomes the working folder, with the data folder in it.
            env: Settings over the defaults; PORT is a free one unless given.
            command: What is started.
        """
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "PORT": str(free_port()), **coverage_env()}
        self.env |= env or {}
        self.url = f"http://127.0.0.1:{self.env['PORT']}"
        self._command = list(command)
        self.process: psutil.Popen | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def said(self) -> str:
        """What it printed so far."""
        return (self.folder / "said.txt").read_text()

    @property
    def logged(self) -> str:
        """What it logged so far."""
        return (self.folder / "logged.txt").read_text()

    def worker_line(self) -> tuple[list[str], dict[str, str]]:
        """The worker's line it printed: its command and, over this system's, its environment.

        It is meant for this system's folder.
        """
        line = next(line for line in self.said.splitlines() if "rq worker" in line)
        words = shlex.split(line)
        settings = [word for word in words if "=" in word.split("/")[0]]
        return words[len(settings) :], self.env | dict(word.split("=", 1) for word in settings)

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it says that it is ready."""
        with (
            (self.folder / "said.txt").open("wb") as said,
            (self.folder / "logged.txt").open("wb") as logged,
        ):
            self.process = psutil.Popen(
                self._command, cwd=self.folder, env=self.env, stdout=said, stderr=logged
            )
        if wait:
            wait_until(lambda: self.has_ended() or "is ready" in self.said, seconds=READY_SECONDS)
            assert not self.has_ended(), self.logged

    def has_ended(self) -> bool:
        """Whether its first process has ended."""
        return self.process is None or self.process.poll() is not None

    def processes(self) -> list[psutil.Process]:
        """Every process of it, the first one included."""
        assert self.process is not None
        return [self.process, *self.process.children(recursive=True)]

    def send(self, signum: int) -> None:
        """Send a signal to its first process."""
        assert self.process is not None
        self.process.send_signal(signum)

    def end(self) -> int:
        """Ask it to end, unless it has, and wait until it has; returns its exit code."""
        assert self.process is not None
        if self.has_ended():
            return int(self.process.wait())
        everything = self.processes()
        self.send(signal.SIGTERM)
        try:
            return int(self.process.wait(END_SECONDS))
        finally:
            for process in everything:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def get(self, path: str) -> requests.Response:
        """GET a path of it."""
        return requests.get(self.url + path, timeout=10)

    def post(self, path: str, body: object) -> requests.Response:
        """POST JSON to a path of it."""
        return requests.post(self.url + path, json=body, timeout=10)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def coverage_env() -> dict[str, str]:
    """What a child needs for its lines to count."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of them runs; one that only waits to be reaped doesn't."""
    return not any(is_running(process) for process in processes)


def is_running(process: psutil.Process) -> bool:
    """Whether it runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
