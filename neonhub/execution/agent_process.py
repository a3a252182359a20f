"""The child process an agent runs in, and the pipe between it and its keeper."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from neonhub.agents import AgentManager
from neonhub.execution.agent_child import STOP, live
from neonhub.execution.agent_guard import SILENCE, Guard, kill_group
from neonhub.execution.claims import Claim
from neonhub.execution.reporter import Message
from neonhub.process import adopt_orphans, descendants, kill_all


class AgentProcess:
    """One agent at work; start it, listen to it, ask it to stop, kill it with all it started."""

    def __init__(self, claim: Claim, agents: AgentManager) -> None:
        self._claim = claim
        self._agents = agents
        self._pipe: Connection
        self._pid = 0
        self._status: int | None = None
        self._bystanders: set[int] = set()
        self._guard: Guard

    def start(self) -> None:
        """Fork the child; call it from the main thread, whose death the child is tied to."""
        adopt_orphans()
        self._bystanders = {process.pid for process in descendants()}
        self._pipe, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._pipe.close()
            live(theirs, parent, self._claim, self._agents)
        theirs.close()
        self._guard = Guard(self._pid, silence_seconds=SILENCE * self._claim.lease_ms / 1000)

    def receive(self, timeout: float) -> Iterator[Message]:
        """Messages that are there, waiting at most `timeout` seconds for the first."""
        try:
            while self._pipe.poll(max(0.0, timeout)):
                yield json.loads(self._pipe.recv_bytes())
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
        """Whether the process is gone; reaps it."""
        if self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def exit_sentence(self) -> str:
        """How the process ended, in words; only after `has_exited`."""
        code = os.waitstatus_to_exitcode(self._status or 0)
        if code < 0:
            return f"The agent's process was ended by {signal.Signals(-code).name}."
        return f"The agent's process exited with status {code} before the agent returned."

    def end(self) -> bool:
        """Kill the process and all that it started, wherever they moved to.

        Returns:
            Whether it was killed before, as its keeper was silent for nearly a lease.
        """
        if self._status is None:
            kill_group(self._pid)
            self._status = os.waitpid(self._pid, 0)[1]
        was_cut_off = self._guard.end()
        while left := descendants(except_for=self._bystanders):
            kill_all(left)
        self._pipe.close()
        return was_cut_off
