"""The process between a keeper and an agent: it starts the agent, and lets nothing get away."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn

from neonhub.execution.agent_guard_life import (
    ALONE,
    BEAT,
    CROWDED,
    DONE,
    ENDED,
    FAREWELL,
    KEEPER_GONE,
    REST,
    GuardLife,
)

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
            GuardLife(theirs, silence_seconds).serve(live, not_for_guard)
        theirs.close()
        self._beat_seconds = silence_seconds / 8
        self._is_over = threading.Event()
        self._beating: threading.Thread | None = None
        self._status: int | None = None
        self._is_gone = False

    def begin(self) -> None:
        """A run begins: from now on silence counts."""
        self._say(BEAT)
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
        self._say(REST)
        while (answer := self._hear(ANSWER_SECONDS)) is not None:
            if answer in (ALONE, CROWDED):
                return answer == ALONE
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
        self._say(FAREWELL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._link.close()
        return status not in (DONE, KEEPER_GONE)

    def _hear(self, seconds: float) -> bytes | None:
        """The next word, if there is one; the agent's end is noted beside."""
        try:
            if not self._link.poll(seconds):
                return None
            word = self._link.recv_bytes()
        except (EOFError, OSError):
            self._is_gone = True
            return None
        if word[:1] == ENDED:
            self._status = int(word[1:])
        return word

    def _stop_beating(self) -> None:
        self._is_over.set()
        if self._beating is not None:
            self._beating.join()

    def _beat(self) -> None:
        while not self._is_over.wait(self._beat_seconds):
            self._say(BEAT)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # the guard has done its work: whoever ends it will see
            self._link.send_bytes(word)
