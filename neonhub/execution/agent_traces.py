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
from pathlib import Path


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
        self._memory = _resident_bytes()

    def wipe(self) -> bool:
        """Put back what can be put back.

        Returns:
            False where something is left that only the end of the process undoes: a thread, an
            open file or connection, a folder that is gone, memory.
        """
        self._put_back()
        return self._is_back_in_its_folder() and not (
            set(threading.enumerate()) - self._threads or self._has_opened() or self._has_grown()
        )

    def _put_back(self) -> None:
        if os.environ != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        os.umask(self._umask)
        sys.path[:], sys.argv[:] = self._path, self._arguments
        sys.stdin, sys.stdout, sys.stderr = self._streams
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in self._handlers.items():
            if signal.getsignal(signum) is not handler and handler is not None:
                signal.signal(signum, handler)
        root = logging.getLogger()
        root.setLevel(self._logging[0])
        root.handlers[:], root.filters[:] = self._logging[1], self._logging[2]
        logging.disable(self._logging[3])
        socket.setdefaulttimeout(self._socket_timeout)

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

    def _has_grown(self) -> bool:
        if self._max_growth_bytes is None:
            return False
        return _resident_bytes() - self._memory > self._max_growth_bytes


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


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
