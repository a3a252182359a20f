"""The life of the process between a keeper and an agent."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import NoReturn

from neonhub.process import adopt_orphans, descendants, kill_all

BEAT, FAREWELL = b".", b"!"
"""What the keeper says: it is there, the guard is to end."""

ENDED = b"x"
"""What the guard says, with the status: the agent's process has ended."""

DONE, KEEPER_GONE, KEEPER_SILENT = 0, 4, 5
"""What it exits with: why it killed the agent's process."""


class GuardLife:
    """Starts the agent's process, hears the keeper, and kills what is left."""

    def __init__(self, link: Connection, silence_seconds: float) -> None:
        self._link = link
        self._silence_seconds = silence_seconds
        self._agent_pid = 0

    def serve(
        self,
        live: Callable[[int], NoReturn],
        not_for_guard: Iterable[Connection],
        not_for_both: Iterable[Connection],
    ) -> NoReturn:
        """The guard's whole life."""
        status = 1
        try:
            os.setsid()
            adopt_orphans()
            _close_all(not_for_both)
            children = _children_that_end()
            self._fork(live)
            _close_all(not_for_guard)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            status = self._listen(children)
            self._kill_everything()
        finally:
            os._exit(status)

    def _fork(self, live: Callable[[int], NoReturn]) -> None:
        me = os.getpid()
        self._agent_pid = os.fork()
        if self._agent_pid == 0:
            signal.set_wakeup_fd(-1)
            self._link.close()
            live(me)

    def _listen(self, children: int) -> int:
        """Hear the keeper until there is no more need; the status to exit with."""
        patient_until = time.monotonic() + self._silence_seconds
        with suppress(EOFError, OSError):
            while ready := wait([self._link, children], patient_until - time.monotonic()):
                if children in ready:
                    os.read(children, 4096)
                    self._reap()
                if self._link in ready:
                    if self._link.recv_bytes() == FAREWELL:
                        return DONE
                    patient_until = time.monotonic() + self._silence_seconds
            return KEEPER_SILENT
        return KEEPER_GONE

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._agent_pid:
                    self._agent_pid = 0
                    self._link.send_bytes(ENDED + str(ended[1]).encode())

    def _kill_everything(self) -> None:
        if self._agent_pid:
            _kill_group(self._agent_pid)
        while left := descendants():
            kill_all(left)


def _close_all(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()


def _children_that_end() -> int:
    """A file to read from once a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _kill_group(pid: int) -> None:
    """Kill a process and all that share its group; for systems that let orphans get away."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
