"""What a run may leave behind in its process: put back, or the process ends."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass

from neonhub.execution.own_status import Status, read_status
from neonhub.process import child_pids


@dataclass(frozen=True, slots=True)
class Recycling:
    """When a process is replaced though its last run left nothing behind.

    Attributes:
        max_runs: At least 1, which gives every run a fresh process.
        max_growth_bytes: Of resident memory since it began; None: no limit.
    """

    max_runs: int = 1
    max_growth_bytes: int | None = None


FRESH = Recycling()
"""A process of its own for every run."""


class Traces:
    """What the process was before its first run.

    Modules that were imported stay, and so does what agents keep in their classes and modules.
    """

    def __init__(self, max_growth_bytes: int | None) -> None:
        self._max_growth_bytes = max_growth_bytes
        self._folder = _folder()
        self._environment = dict(os.environ)
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._path, self._arguments = list(sys.path), list(sys.argv)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._handlers = {signum: signal.getsignal(signum) for signum in _CATCHABLE}
        root = logging.getLogger()
        self._logging = root.level, list(root.handlers), list(root.filters), root.manager.disable
        self._socket_timeout = socket.getdefaulttimeout()
        self._threads = set(threading.enumerate())
        self._descriptors = _open_descriptors()
        self._status = read_status()

    def wipe(self) -> bool:
        """Put back what can be put back.

        Returns:
            False where something is left that only the end of the process undoes: a thread, a
            process, an open file or connection, a folder that is gone, memory.
        """
        status = read_status()
        self._put_back(status)
        return self._is_back_in_its_folder() and not (
            set(threading.enumerate()) - self._threads
            or _has_company()
            or self._has_opened()
            or self._has_grown(status)
        )

    def _put_back(self, status: Status) -> None:
        if os.environ != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        os.umask(self._umask)
        sys.path[:], sys.argv[:] = self._path, self._arguments
        sys.stdin, sys.stdout, sys.stderr = self._streams
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not status.signals or status.signals != self._status.signals:
            self._put_handlers_back()
        self._put_logging_back()
        socket.setdefaulttimeout(self._socket_timeout)

    def _put_handlers_back(self) -> None:
        for signum, handler in self._handlers.items():
            if signal.getsignal(signum) is not handler and handler is not None:
                signal.signal(signum, handler)

    def _put_logging_back(self) -> None:
        root = logging.getLogger()
        level, handlers, filters, disabled = self._logging
        root.handlers[:], root.filters[:] = handlers, filters
        # Each of these empties a cache of every logger.
        if root.level != level:
            root.setLevel(level)
        if root.manager.disable != disabled:
            logging.disable(disabled)

    def _is_back_in_its_folder(self) -> bool:
        if self._folder is None:
            return True
        with suppress(OSError):
            os.chdir(self._folder)
            return True
        return False

    def _has_opened(self) -> bool:
        if _open_descriptors() <= self._descriptors:
            return False
        gc.collect()  # what nobody holds any more closes now
        return not _open_descriptors() <= self._descriptors

    def _has_grown(self, status: Status) -> bool:
        if self._max_growth_bytes is None:
            return False
        return status.resident_bytes - self._status.resident_bytes > self._max_growth_bytes


def _has_company() -> bool:
    """Whether a process that the agent started lives still.

    This one's own children are looked at first: one whose parent ends meanwhile is its guard's.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    except ChildProcessError:
        return child_pids(os.getppid()) != {os.getpid()}


_CATCHABLE = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed: nothing relative worked before either


def _open_descriptors() -> set[str]:
    """Linux tells; elsewhere none is known, and none is missed."""
    try:
        return set(os.listdir("/proc/self/fd"))
    except OSError:
        return set()
