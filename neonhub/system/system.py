"""Starts every process of NeonHub on this machine, keeps them alive and ends them in order."""

import http
import http.client
import logging
import os
import queue
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from neonhub.config import Settings, prepare_folders
from neonhub.process import descendants, kill_all
from neonhub.redis.embedded import EmbeddedServer
from neonhub.startup import run_process
from neonhub.system.announcement import announcement
from neonhub.system.listening import listen, lock_data_dir
from neonhub.system.part import Part
from neonhub.system.program import Process, fork_program, start_program
from neonhub.system.shared import is_fit_for_web, load_what_is_shared
from workers.web import gunicorn_command, run_gunicorn

if TYPE_CHECKING:
    from neonhub.system.forked import Role

logger = logging.getLogger(__name__)

STEP_SECONDS = 1.0
READY_STEP_SECONDS = 0.1
READY_TIMEOUT_SECONDS = 2.0
WORK_END_SECONDS = 8.5
"""From the signal until scheduler and pool, with their agents, must have ended."""
WEB_END_SECONDS = 9.5
"""From the signal until the web must have ended, too."""

ENDING_SECONDS = 10.0
"""How long what a killed system started may keep its ports."""

_END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SIGNALS = (*_END_SIGNALS, signal.SIGCHLD)


class Closable(Protocol):
    """A file or a socket."""

    def close(self) -> None:
        """Let go of it."""


class System:
    """The web, a scheduler, a pool of workers and, without REDIS_URL, a server of our own."""

    def __init__(self, settings: Settings, *, root: Path) -> None:
        """
        Args:
            root: The folder that has `wsgi.py` and `workers/`.
        """
        self._settings = settings
        self._root = root
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._server: EmbeddedServer | None = None
        self._redis_url = settings.redis_url or ""
        self._parts: list[Part] = []
        self._is_announced = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second one ends all at once.

        Raises:
            ConfigError: A setting, the data folder or a port stands in the way.
            PartRefused: A process cannot run with these settings.
        """
        prepare_folders(self._settings)
        with ExitStack() as stack:
            lock = stack.enter_context(lock_data_dir(self._settings.data_dir))
            wait_seconds = ENDING_SECONDS if lock.was_killed else 0
            listeners = [stack.enter_context(each) for each in self._listen(wait_seconds)]
            self._catch_signals()
            stack.callback(self._end_server)
            self._start_server()
            stack.callback(self._end_parts, listeners)
            self._start_parts(listeners, [lock.file, *listeners])
            self._watch()

    def _listen(self, wait_seconds: float) -> list[socket.socket]:
        ports = {
            "PORT": self._settings.port,
            "PROMETHEUS_PORT": self._settings.prometheus_port,
        }
        return [
            listen(name, self._settings.host, port, wait_seconds=wait_seconds)
            for name, port in ports.items()
            if port is not None
        ]

    def _catch_signals(self) -> None:
        for signum in _SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup means it
                signal.signal(signum, lambda received, _: self._signals.put(received))

    def _start_server(self) -> None:
        if self._settings.redis_url is None:
            self._server = EmbeddedServer(self._settings.data_dir / "redis")
            self._redis_url = self._server.start()

    def _start_parts(self, listeners: Sequence[socket.socket], own: Sequence[Closable]) -> None:
        load_what_is_shared(self._settings)
        web = Part("web", partial(self._start_web, listeners, own))
        self._parts = [web]
        web.step(time.monotonic())
        # Imported only now: this process loads them while the web process loads its own, and
        # they bring what a web process must not get from its parent.
        roles: Sequence[Role] = import_module("neonhub.system.forked").FORKED
        self._parts += [Part(role.name, partial(self._fork, role, own)) for role in roles]

    def _start_web(self, listeners: Sequence[socket.socket], own: Sequence[Closable]) -> Process:
        """Fork it, or start it anew where this process has loaded what gevent must see first.

        That is so for each start but the first, and with PostgreSQL or error reports.
        """
        listening = [listener.fileno() for listener in listeners]
        command = gunicorn_command(self._settings, listening)
        # SIGTERM, so that gunicorn ends its worker with it.
        if is_fit_for_web():
            return fork_program(
                " ".join(command),
                partial(run_gunicorn, command),
                env=self._environment(),
                death_signal=signal.SIGTERM,
                signals=_SIGNALS,
                forget=partial(self._forget, [each for each in own if each not in listeners]),
            )
        return start_program(
            command, env=self._environment(), death_signal=signal.SIGTERM, pass_fds=listening
        )

    def _fork(self, role: "Role", own: Sequence[Closable]) -> Process:
        return fork_program(
            f"{sys.executable} -m {role.module}",
            partial(run_process, role.name, role.main),
            env=self._environment(),
            signals=_SIGNALS,
            forget=partial(self._forget, own),
        )

    def _forget(self, own: Sequence[Closable]) -> None:
        """In a forked child: hold no port and no lock."""
        for each in own:
            each.close()
        if self._server is not None:
            self._server.forget()

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, (str(self._root), os.environ.get("PYTHONPATH"))))
        return os.environ | {
            "REDIS_URL": self._redis_url,
            "DATABASE_URL": self._settings.database_url,
            "NEONHUB_DATA_DIR": str(self._settings.data_dir),
            "PYTHONPATH": path,
        }

    def _watch(self) -> None:
        while not self._is_asked_to_end(STEP_SECONDS if self._is_announced else READY_STEP_SECONDS):
            self._restart_server()
            for part in self._parts:
                part.step(time.monotonic())
            if not self._is_announced and self._is_ready():
                self._is_announced = True
                print(announcement(self._settings, self._redis_url, self._root), flush=True)

    def _is_asked_to_end(self, timeout_seconds: float) -> bool:
        try:
            return self._signals.get(timeout=timeout_seconds) in _END_SIGNALS
        except queue.Empty:
            return False

    def _restart_server(self) -> None:
        if self._server is not None and self._server.has_ended():
            logger.error("The embedded server has ended and starts again.")
            self._server.start()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(
            self._settings.local_host.strip("[]"),
            self._settings.port,
            timeout=READY_TIMEOUT_SECONDS,
        )
        try:
            connection.request("GET", "/readyz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end_parts(self, listeners: Sequence[socket.socket]) -> None:
        # The web ends last: whoever watches sees how the agents ended.
        began = time.monotonic()
        work = [part for part in self._parts if part.name != "web"]
        web = [part for part in self._parts if part.name == "web"]
        if self._end(work, began + WORK_END_SECONDS):
            for listener in listeners:
                listener.close()
            self._end(web, began + WEB_END_SECONDS)
        kill_all(descendants(except_for=self._server_pids()))

    def _end(self, parts: Sequence[Part], deadline: float) -> bool:
        """End parts; False if someone lost patience meanwhile."""
        for part in parts:
            part.ask_to_end()
        while not all(part.has_ended() for part in parts):
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                logger.warning("Not all ended in time; the rest is killed.")
                return True
            if self._is_asked_to_end(min(seconds_left, STEP_SECONDS)):
                return False
        return True

    def _server_pids(self) -> list[int]:
        process = self._server.process if self._server is not None else None
        return [process.pid] if process is not None else []

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.stop(timeout_seconds=1)
