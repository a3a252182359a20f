"""The process between a keeper and an agent: it starts the agent, and lets nothing get away."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import NoReturn

from neonhub.process import adopt_orphans, child_pids, descendants, kill_all

SILENCE = 0.8
"""The part of a lease for which a keeper may be silent."""

ANSWER_SECONDS = 1.0
"""How long the guard may take to say that it rests."""


class Guard:
    """Starts an agent's process, and kills it with all that it started.

    That is once its keeper says so, is gone, or is silent for too long: a keeper that was frozen
    longer than its lease may find the session at work elsewhere when it wakes, and by then its own
    agent must be gone. Between two runs the keeper may be silent.
    """

    def __init__(
        self,
        live: Callable[[int], NoReturn],
        *,
        silence_seconds: float,
        not_for_guard: Sequence[Connection] = (),
    ) -> None:
        """Fork both; call it from the main thread.

        Args:
            live: The agent process's whole life; it is given its parent's id.
            silence_seconds: For how long the keeper may be silent during a run.
            not_for_guard: What keeper and agent share: held open here, it would hide their end.
        """
        self._link, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._link.close()
            _Warden(theirs, silence_seconds).serve(live, not_for_guard)
        theirs.close()
        self._beat_seconds = silence_seconds / 8
        self._is_over = threading.Event()
        self._beating: threading.Thread | None = None
        self._status: int | None = None
        self._is_gone = False

    def begin(self) -> None:
        """A run begins: from now on silence counts."""
        self._say(_BEAT)
        self._is_over.clear()
        # A thread, as the keeper itself may wait long for a database that is away.
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def rest(self) -> bool:
        """A run has ended: silence is no longer a fault.

        Returns:
            Whether the agent's process is there still, and nothing beside it.
        """
        self._stop_beating()
        self._say(_REST)
        while (answer := self._hear(ANSWER_SECONDS)) is not None:
            if answer in (_ALONE, _CROWDED):
                return answer == _ALONE
        return False

    def agent_status(self) -> int | None:
        """What the system says of the agent's process, as `os.waitpid`; None: it lives."""
        while self._status is None and self._hear(0) is not None:
            continue
        if self._status is None and self._is_gone:
            return signal.SIGKILL  # which the kernel sends when its parent is gone
        return self._status

    def end(self) -> bool:
        """Kill the agent's process and all it started.

        Returns:
            Whether that was done before, and for no fault of the agent.
        """
        self._stop_beating()
        self._say(_FAREWELL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._link.close()
        return status not in (_DONE, _KEEPER_GONE)

    def _hear(self, seconds: float) -> bytes | None:
        """The next word, if there is one; the agent's end is noted beside."""
        try:
            if not self._link.poll(seconds):
                return None
            word = self._link.recv_bytes()
        except (EOFError, OSError):
            self._is_gone = True
            return None
        if word[:1] == _ENDED:
            self._status = int(word[1:])
        return word

    def _stop_beating(self) -> None:
        self._is_over.set()
        if self._beating is not None:
            self._beating.join()

    def _beat(self) -> None:
        while not self._is_over.wait(self._beat_seconds):
            self._say(_BEAT)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # the guard has done its work: whoever ends it will see
            self._link.send_bytes(word)


_BEAT, _REST, _FAREWELL = b".", b"-", b"!"
_ALONE, _CROWDED, _ENDED = b"1", b"2", b"x"
_DONE, _KEEPER_GONE, _KEEPER_SILENT = 0, 4, 5


class _Warden:
    """The guard's own side, in its own process."""

    def __init__(self, link: Connection, silence_seconds: float) -> None:
        self._link = link
        self._silence_seconds = silence_seconds
        self._agent_pid = 0

    def serve(
        self, live: Callable[[int], NoReturn], not_for_guard: Sequence[Connection]
    ) -> NoReturn:
        """The guard's whole life."""
        status = 1
        try:
            os.setsid()
            adopt_orphans()
            children = _children_that_end()
            self._fork(live)
            for connection in not_for_guard:
                connection.close()
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
        patience = None
        with suppress(EOFError, OSError):
            while ready := wait([self._link, children], patience):
                if children in ready:
                    os.read(children, 4096)
                    self._reap()
                if self._link in ready:
                    word = self._link.recv_bytes()
                    if word == _FAREWELL:
                        return _DONE
                    patience = None if word == _REST else self._silence_seconds
                    if word == _REST:
                        self._link.send_bytes(_ALONE if self._is_alone() else _CROWDED)
            return _KEEPER_SILENT
        return _KEEPER_GONE

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._agent_pid:
                    self._agent_pid = 0
                    self._link.send_bytes(_ENDED + str(ended[1]).encode())

    def _is_alone(self) -> bool:
        """Whether the agent's process lives, and nothing runs beside it.

        Its own children are looked at first: one whose parent ends meanwhile becomes ours.
        """
        if not self._agent_pid or child_pids(self._agent_pid):
            return False
        return child_pids(os.getpid()) == {self._agent_pid}

    def _kill_everything(self) -> None:
        if self._agent_pid:
            _kill_group(self._agent_pid)
        while left := descendants():
            kill_all(left)


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
