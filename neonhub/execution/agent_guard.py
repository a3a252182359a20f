"""The processes between a keeper and its agents: each starts one, and lets nothing get away."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn

from neonhub.execution.agent_guard_life import (
    BEAT,
    DONE,
    ENDED,
    FAREWELL,
    KEEPER_GONE,
    GuardLife,
)
from neonhub.execution.inbox import has_come, inbox_of
from neonhub.process import adopt_orphans, child_pids, descendants, kill_all

SILENCE = 0.8
"""The part of a lease for which a keeper may be silent."""

FAREWELL_SECONDS = 5.0
"""How long a guard may take to end with all it guards, before it is killed."""


class Guard:
    """Starts an agent's process, and kills it with all that it started.

    That is once its keeper says so, is gone, or is silent for too long: a keeper that was frozen
    longer than its lease may find the session at work elsewhere when it wakes, and by then its own
    agent must be gone.
    """

    def __init__(
        self,
        live: Callable[[int], NoReturn],
        *,
        silence_seconds: float,
        not_for_guard: Iterable[Connection] = (),
        not_for_both: Iterable[Connection] = (),
    ) -> None:
        """Fork both; call it from the main thread.

        Args:
            live: The agent process's whole life; it is given its parent's id.
            silence_seconds: For how long the keeper may be silent.
            not_for_guard: What keeper and agent share: held open here, it would hide their end.
            not_for_both: What the keeper has open to others.
        """
        self.link, theirs = Pipe()
        self.silence_seconds = silence_seconds
        self.pid = os.fork()
        if self.pid == 0:
            self.link.close()
            GuardLife(theirs, silence_seconds).serve(live, not_for_guard, not_for_both)
        theirs.close()
        # A guard that was stopped, and reads nothing, must not stop its keeper too.
        os.set_blocking(self.link.fileno(), False)
        self._inbox = inbox_of(self.link)
        self._status: int | None = None
        self._is_gone = False
        self._kill_at: float | None = None

    def beat(self) -> None:
        """Say that the keeper is there."""
        with suppress(OSError):  # the guard has done its work: whoever ends it will see
            self.link.send_bytes(BEAT)

    def agent_status(self) -> int | None:
        """What the system says of the agent's process, as `os.waitpid`; None: it lives."""
        self._hear()
        if self._status is None and self._is_gone:
            return signal.SIGKILL  # which the kernel sends when its parent is gone
        return self._status

    def dismiss(self) -> None:
        """Ask it to kill the agent's process with all it started, and to end."""
        self._kill_at = time.monotonic() + FAREWELL_SECONDS
        with suppress(OSError):
            self.link.send_bytes(FAREWELL)

    def is_gone(self) -> bool:
        """Whether it has ended; one that was dismissed and doesn't end is killed."""
        self._hear()
        if not self._is_gone and self._kill_at and time.monotonic() >= self._kill_at:
            self._kill_at = None
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return self._is_gone

    def reap(self) -> bool:
        """Take leave of one that is gone.

        Returns:
            Whether it had ended the agent before it was dismissed, and for no fault of the agent.
        """
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.link.close()
        return status not in (DONE, KEEPER_GONE)

    def _hear(self) -> None:
        """All it said: that the agent's process has ended, or, by closing, that it has itself."""
        try:
            while not self._is_gone and has_come(self._inbox):
                word = self.link.recv_bytes()
                if word[:1] == ENDED:
                    self._status = int(word[1:])
        except (EOFError, OSError):
            self._is_gone = True


class Guards:
    """All guards of one keeper: one thread beats for them, and none has what another has open."""

    def __init__(self) -> None:
        self._open: dict[Guard, Connection] = {}
        self._bystanders: frozenset[int] | None = None
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._beating: threading.Thread | None = None

    def start(
        self,
        live: Callable[[int], NoReturn],
        *,
        silence_seconds: float,
        mine: Connection,
        theirs: Connection,
    ) -> Guard:
        """Fork a guard and its agent's process; call it from the main thread.

        Args:
            mine: The keeper's end of the pipe to the agent.
            theirs: The agent's end.
        """
        adopt_orphans()
        if self._bystanders is None:
            self._bystanders = frozenset(child_pids(os.getpid()))
        self._stop_beating()  # nothing else runs in a process that forks
        others = [guard.link for guard in self._open]
        guard = Guard(
            live,
            silence_seconds=silence_seconds,
            not_for_guard=(theirs,),
            not_for_both=(mine, *self._open.values(), *others),
        )
        self._open[guard] = mine
        self._start_beating()
        return guard

    def reap(self, guard: Guard) -> bool:
        """Take leave of a guard that is gone, and kill what it left to this process.

        Returns:
            Whether it had ended the agent before it was dismissed, and for no fault of the agent.
        """
        with self._lock:  # nobody may beat for it while its file is closed, and may be another's
            self._open.pop(guard).close()
            was_early = guard.reap()
        if not self._open:
            self._stop_beating()
        known = {other.pid for other in self._open} | (self._bystanders or frozenset())
        while child_pids(os.getpid()) - known:
            kill_all(descendants(except_for=known))
        return was_early

    def _start_beating(self) -> None:
        self._is_over.clear()
        # A thread, as the keeper itself may wait long for a database that is away.
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def _stop_beating(self) -> None:
        self._is_over.set()
        if self._beating is not None:
            self._beating.join()
            self._beating = None

    def _beat(self) -> None:
        seconds = 0.0
        while not self._is_over.wait(seconds):
            with self._lock:
                for guard in self._open:
                    guard.beat()
                shortest = min((guard.silence_seconds for guard in self._open), default=1.0)
            seconds = shortest / 8
