"""The process that agents run in, one after another, and the pipe between it and its keeper."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum, auto
from mmap import mmap
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from selectors import EVENT_READ, BaseSelector, PollSelector
from typing import NoReturn

from neonhub.agents import AgentManager
from neonhub.execution.agent_child import BEGAN, END, READY, STOP, live
from neonhub.execution.agent_guard import SILENCE, Guard, Guards
from neonhub.execution.agent_traces import FRESH, Recycling
from neonhub.execution.claims import Claim
from neonhub.execution.inbox import Inbox, has_come, inbox_of
from neonhub.execution.reporter import Message

TIDYING_SECONDS = 1.0
"""How long a process may take to be ready for the next run; one that isn't is replaced."""

IDLE_SECONDS = 60.0
"""How long a process is kept without work: one at rest takes memory."""

MESSAGES_AT_ONCE = 100
"""However much one agent tells, the others are heard after so many messages."""


_OF_CLAIM = tuple(field.name for field in fields(Claim))


class _Phase(Enum):
    """What the process is at."""

    NONE = auto()  # there is no process
    RUNNING = auto()
    TIDYING = auto()  # the run has ended, and the process is to say whether it is ready
    LEAVING = auto()  # its guard was asked to end it
    RESTING = auto()  # between two runs


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a process is made for, once and for all of its runs."""

    silence_seconds: float
    max_memory_bytes: int | None


class AgentProcess:
    """Agents at work, one at a time: start one, listen to it, ask it to stop, see it off.

    The process stays for the next run if the last one ended by itself and left nothing behind.
    """

    def __init__(
        self,
        agents: AgentManager,
        recycling: Recycling = FRESH,
        *,
        guards: Guards | None = None,
        selector: BaseSelector | None = None,
    ) -> None:
        """Nothing is forked before the first run.

        Args:
            guards: Those of all processes of this keeper.
            selector: Learns what to wait for; this object is the `data` of its keys.
        """
        self._agents = agents
        self._recycling = recycling
        self._guards = guards or Guards()
        self._selector = selector or PollSelector()
        self._phase = _Phase.NONE
        self._until = 0.0  # of tidying
        self._resting_since = 0.0
        self._limits: _Limits | None = None
        self._pipe: Connection
        self._inbox: Inbox
        self._guard: Guard
        self._begun: mmap
        self._is_pipe_open = False
        self._has_ended = False  # the run, by its own word
        self._status: int | None = None
        self.was_cut_off = False
        """Whether the run that was seen off had ended for no fault of the agent.

        Its keeper was silent for nearly a lease, or the process died before the agent began.
        """

    def start(self, claim: Claim) -> None:
        """Begin a run; call it from the main thread, whose death the process is tied to.

        Raises:
            OSError: The system allows no further process.
        """
        limits = _Limits(SILENCE * claim.lease_ms / 1000, claim.max_memory_bytes)
        run = json.dumps({name: getattr(claim, name) for name in _OF_CLAIM}).encode()
        if self._phase is _Phase.RESTING and self._limits == limits and self._can_begin(run):
            return
        self.close()
        self._fork(limits)
        self._can_begin(run)  # if it can't, it has died already, and is seen to have exited

    def receive(self, timeout: float = 0) -> Iterator[Message]:
        """Messages that are there, waiting at most `timeout` seconds for the first."""
        try:
            for _ in range(MESSAGES_AT_ONCE):
                if self._has_ended or not self._is_pipe_open or not has_come(self._inbox, timeout):
                    return
                message = json.loads(self._pipe.recv_bytes())
                if message["kind"] != READY:
                    self._has_ended = message["kind"] == END
                    timeout = 0
                    yield message
        except (EOFError, OSError):
            # The agent closed the pipe, or died: what is left is to see it exit.
            self._stop_hearing()

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

    def has_begun(self) -> bool:
        """Whether the run began, by its own word."""
        return self._begun[0] == BEGAN

    def exit_sentence(self) -> str:
        """How the process ended, in words; only after `has_exited`."""
        code = os.waitstatus_to_exitcode(self._status or 0)
        if code < 0:
            return f"The agent's process was ended by {signal.Signals(-code).name}."
        return f"The agent's process exited with status {code} before the agent returned."

    def see_off(self) -> bool:
        """Let nothing of the run go on; asked again until that is so.

        Returns:
            Whether the process rests, or is gone with all that it started.
        """
        if self._phase is _Phase.RUNNING:
            self._phase, self._until = _Phase.TIDYING, time.monotonic() + TIDYING_SECONDS
        if self._phase is _Phase.TIDYING:
            self._tidy()
        if self._phase is _Phase.LEAVING and self._guard.is_gone():
            self._forget()
        return self._phase in (_Phase.RESTING, _Phase.NONE)

    def end(self) -> bool:
        """See a run off, waiting until that is done.

        Returns:
            `was_cut_off`.
        """
        while not self.see_off():
            wait([self._guard.link, *([self._pipe] if self._is_pipe_open else [])], 0.05)
        return self.was_cut_off

    def notice(self) -> None:
        """See whether a process at rest has died, as its connections say that something came."""
        if self._phase is _Phase.RESTING and self.has_exited():
            self._dismiss()
        self.see_off()

    def close_if_idle(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """End the process if it had nothing to do for so long."""
        is_resting = self._phase is _Phase.RESTING
        if is_resting and time.monotonic() - self._resting_since >= idle_seconds:
            self.close()

    def close(self) -> None:
        """Kill the process and all that it started, wherever they moved to."""
        if self._phase is not _Phase.NONE:
            self._dismiss()
            self.end()

    def try_to_start(self, seconds: float) -> bool:
        """Fork a process that rests at once.

        Args:
            seconds: How long it may take to be ready for a run.

        Returns:
            Whether it is.

        Raises:
            OSError: The system allows no further process.
        """
        self.close()
        self._fork(self._limits or _Limits(SILENCE * 15, None))
        self._has_ended = True
        self._phase, self._until = _Phase.TIDYING, time.monotonic() + seconds
        self.end()
        return self._phase is _Phase.RESTING

    def _fork(self, limits: _Limits) -> None:
        mine, theirs = Pipe()
        begun = mmap(-1, 1)
        sys.stdout.flush()
        sys.stderr.flush()

        def begin_life(parent: int) -> NoReturn:
            live(theirs, parent, self._agents, self._recycling, limits.max_memory_bytes, begun)

        try:
            self._guard = self._guards.start(
                begin_life, silence_seconds=limits.silence_seconds, mine=mine, theirs=theirs
            )
        except OSError:
            mine.close()
            raise
        finally:
            theirs.close()
        self._pipe, self._begun, self._limits = mine, begun, limits
        self._is_pipe_open = True
        self._inbox = inbox_of(self._pipe)
        self._selector.register(self._pipe, EVENT_READ, self)
        self._selector.register(self._guard.link, EVENT_READ, self)

    def _can_begin(self, run: bytes) -> bool:
        """Hand a run over; False: the process is gone."""
        self._phase = _Phase.RUNNING
        if self.has_exited():
            return False
        self._has_ended = False
        self._begun[0] = 0
        try:
            self._pipe.send_bytes(run)
        except OSError:
            return False
        return True

    def _tidy(self) -> None:
        """Wait for the process to be ready; one that ended otherwise, or takes too long, goes."""
        if self._has_ended and self._is_ready():
            self._phase, self._resting_since = _Phase.RESTING, time.monotonic()
            self.was_cut_off = False
        elif not self._has_ended or self.has_exited() or time.monotonic() >= self._until:
            self._dismiss()

    def _is_ready(self) -> bool:
        try:
            while self._is_pipe_open and has_come(self._inbox, 0):
                if json.loads(self._pipe.recv_bytes())["kind"] == READY:
                    return True
        except (EOFError, OSError):
            self._stop_hearing()
        return False

    def _dismiss(self) -> None:
        if self._phase is not _Phase.LEAVING:
            self._phase = _Phase.LEAVING
            self._guard.dismiss()

    def _forget(self) -> None:
        """The guard is gone, and all it guarded with it."""
        self._stop_hearing()
        self._selector.unregister(self._guard.link)
        self.was_cut_off = self._guards.reap(self._guard) or not self.has_begun()
        self._phase = _Phase.NONE

    def _stop_hearing(self) -> None:
        if self._is_pipe_open:
            self._is_pipe_open = False
            self._selector.unregister(self._pipe)
