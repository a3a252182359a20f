"""The process that agents run in, one after another, and the pipe between it and its keeper."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import NoReturn

from neonhub.agents import AgentManager
from neonhub.execution.agent_child import BEGAN, END, READY, STOP, live
from neonhub.execution.agent_guard import SILENCE, Guard
from neonhub.execution.agent_traces import FRESH, Recycling
from neonhub.execution.claims import Claim
from neonhub.execution.reporter import Message
from neonhub.process import adopt_orphans, child_pids, descendants, kill_all

TIDYING_SECONDS = 1.0
"""How long a process may take to be ready for the next run; one that isn't is replaced."""

IDLE_SECONDS = 60.0
"""How long a process is kept without work: one at rest takes memory."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a process is made for, once and for all of its runs."""

    silence_seconds: float
    max_memory_bytes: int | None


class AgentProcess:
    """Agents at work, one at a time: start one, listen to it, ask it to stop, see it off.

    The process stays for the next run if the last one ended by itself and left nothing behind.
    """

    def __init__(self, agents: AgentManager, recycling: Recycling = FRESH) -> None:
        """Nothing is forked before the first run."""
        self._agents = agents
        self._recycling = recycling
        self._limits: _Limits | None = None  # of the process there is; None: there is none
        self._pipe: Connection
        self._status: int | None = None
        self._is_resting = False  # between two runs
        self._resting_since = 0.0
        self._has_begun = self._has_ended = False  # the run, by its own word
        self._bystanders: set[int] = set()
        self._guard: Guard

    def start(self, claim: Claim) -> None:
        """Begin a run; call it from the main thread, whose death the process is tied to."""
        limits = _Limits(SILENCE * claim.lease_ms / 1000, claim.max_memory_bytes)
        run = json.dumps(asdict(claim)).encode()
        if self._is_resting and self._limits == limits and self._can_begin(run):
            return
        self.close()
        self._fork(limits)
        self._can_begin(run)  # if it can't, it has died already, and is seen to have exited

    def receive(self, timeout: float) -> Iterator[Message]:
        """Messages that are there, waiting at most `timeout` seconds for the first."""
        try:
            while not self._has_ended and self._pipe.poll(max(0.0, timeout)):
                message = json.loads(self._pipe.recv_bytes())
                if message["kind"] == BEGAN:
                    self._has_begun = True
                    continue
                self._has_ended = message["kind"] == END
                yield message
                timeout = 0
        except (EOFError, OSError):
            # The agent closed the pipe, or died: what is left is to see it exit.
            time.sleep(0.005)

    def ask_to_stop(self) -> None:
        """Set the agent's `should_stop`."""
        try:
            self._pipe.send_bytes(STOP)
        except OSError:
            return  # it has ended by itself: nobody is left to ask

    def has_exited(self) -> bool:
        """Whether the process is gone."""
        self._status = self._guard.agent_status()
        return self._status is not None

    def exit_sentence(self) -> str:
        """How the process ended, in words; only after `has_exited`."""
        code = os.waitstatus_to_exitcode(self._status or 0)
        if code < 0:
            return f"The agent's process was ended by {signal.Signals(-code).name}."
        return f"The agent's process exited with status {code} before the agent returned."

    def end(self) -> bool:
        """See a run off: nothing of it goes on.

        Returns:
            Whether it was cut off for no fault of the agent: its keeper was silent for nearly a
            lease, or the process died before the agent began.
        """
        self._is_resting = self._has_ended and self._is_ready() and self._guard.rest()
        self._resting_since = time.monotonic()
        return not self._is_resting and (self.close() or not self._has_begun)

    def close_if_idle(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """End the process if it had nothing to do for so long."""
        if self._is_resting and time.monotonic() - self._resting_since >= idle_seconds:
            self.close()

    def close(self) -> bool:
        """Kill the process and all that it started, wherever they moved to.

        Returns:
            Whether it was killed before, as its keeper was silent for nearly a lease.
        """
        if self._limits is None:
            return False
        self._limits, self._is_resting = None, False
        was_cut_off = self._guard.end()
        # The guard's own death leaves them to this process.
        while left := descendants(except_for=self._bystanders):
            kill_all(left)
        self._pipe.close()
        return was_cut_off

    def _fork(self, limits: _Limits) -> None:
        adopt_orphans()
        self._bystanders = child_pids(os.getpid())
        self._pipe, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()

        def begin_life(parent: int) -> NoReturn:
            self._pipe.close()
            live(theirs, parent, self._agents, self._recycling, limits.max_memory_bytes)

        self._guard = Guard(
            begin_life,
            silence_seconds=limits.silence_seconds,
            not_for_guard=(self._pipe, theirs),
        )
        theirs.close()
        self._limits = limits

    def _can_begin(self, run: bytes) -> bool:
        """Hand a run over; False: the process is gone."""
        if self.has_exited():
            return False
        self._is_resting = self._has_begun = self._has_ended = False
        self._guard.begin()
        try:
            self._pipe.send_bytes(run)
        except OSError:
            return False
        return True

    def _is_ready(self) -> bool:
        """Whether the process waits for its next run."""
        deadline = time.monotonic() + TIDYING_SECONDS
        try:
            while self._pipe.poll(max(0.0, deadline - time.monotonic())):
                if json.loads(self._pipe.recv_bytes())["kind"] == READY:
                    return True
        except (EOFError, OSError):
            return False
        return False
