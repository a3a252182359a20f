"""The child process an agent runs in, and the pipe between it and its keeper."""

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from neonhub.agents import AgentManager, ExecutionOptions, NonRetryableError
from neonhub.agents.serialisable import storable_text
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.claims import Claim
from neonhub.process import adopt_orphans, descendants, die_with_parent, kill_all

Message = dict[str, Any]
"""`{"kind": "progress"|"log"|"end", …}`, as `_Reporter` and `_execute` write them."""

MAX_TRACEBACK_CHARACTERS = 64 * 1024


class AgentProcess:
    """One agent at work; start it, listen to it, ask it to stop, kill it with all it started."""

    def __init__(self, claim: Claim, agents: AgentManager) -> None:
        self._claim = claim
        self._agents = agents
        self._pipe: Connection
        self._pid = 0
        self._status: int | None = None
        self._bystanders: set[int] = set()
        self._guard: _Guard

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
            _live(theirs, parent, self._claim, self._agents)
        theirs.close()
        self._guard = _Guard(self._pid, silence_seconds=_SILENCE * self._claim.lease_ms / 1000)

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
            self._pipe.send_bytes(_STOP)
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
            _kill_group(self._pid)
            self._status = os.waitpid(self._pid, 0)[1]
        was_cut_off = self._guard.end()
        while left := descendants(except_for=self._bystanders):
            kill_all(left)
        self._pipe.close()
        return was_cut_off


class _Guard:
    """A process that kills an agent's process group once its keeper is gone, or silent too long.

    The kernel ends the agent with its keeper, but not what the agent has started. A keeper that
    was frozen longer than its lease may find the session at work elsewhere when it wakes: by then
    its own agent must be gone.
    """

    def __init__(self, agent_pid: int, *, silence_seconds: float) -> None:
        theirs, self._ours = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._ours)
            _guard(theirs, agent_pid, silence_seconds)
        os.close(theirs)
        self._is_over = threading.Event()
        # A thread, as the keeper itself may wait long for a database that is away.
        self._beating = threading.Thread(target=self._beat, args=(silence_seconds / 8,))
        self._beating.daemon = True
        self._beating.start()

    def end(self) -> bool:
        """The keeper lives, and sees to the agent itself.

        Returns:
            Whether the guard has killed the agent before.
        """
        self._is_over.set()
        self._beating.join()
        with suppress(BrokenPipeError):
            os.write(self._ours, _FAREWELL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._ours)
        return status == _KILLED_FOR_SILENCE

    def _beat(self, seconds: float) -> None:
        while not self._is_over.wait(seconds):
            try:
                os.write(self._ours, b".")
            except OSError:
                return  # the guard has done its work


_SILENCE = 0.8
"""The part of a lease for which a keeper may be silent."""

_FAREWELL = b"!"
_KILLED_FOR_SILENCE = 3


def _guard(pipe: int, agent_pid: int, silence_seconds: float) -> NoReturn:
    status = 1
    try:
        os.setsid()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        heard = b"."
        while heard and select.select([pipe], [], [], silence_seconds)[0]:
            heard = os.read(pipe, 64)
            if heard.endswith(_FAREWELL):
                os._exit(0)
        status = _KILLED_FOR_SILENCE
        _kill_group(agent_pid)
    finally:
        os._exit(status)


def _kill_group(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # killed before it had made a group of its own


_STOP = b"stop"


class _Reporter:
    """What an agent tells, as messages to its keeper; safe to use from several threads."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def progress(self, percent: float, message: str) -> None:
        self.send({"kind": "progress", "percent": percent, "message": message})

    def log(self, type: str, message: str, data: dict[str, Any], level: str) -> None:
        line = {"type": type, "message": message, "data": data, "level": level}
        self.send({"kind": "log", **line})

    def send(self, message: Message) -> None:
        encoded = json.dumps(message, default=str).encode()
        with self._lock:
            self._pipe.send_bytes(encoded)


def _live(pipe: Connection, parent: int, claim: Claim, agents: AgentManager) -> None:
    """The child's whole life; it never returns."""
    status = 1
    try:
        die_with_parent(parent)
        os.setsid()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(signum, signal.SIG_DFL)
        reporter = _Reporter(pipe)
        end = _execute(reporter, pipe, claim, agents)
        sys.stdout.flush()
        sys.stderr.flush()
        reporter.send(end)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _execute(reporter: _Reporter, pipe: Connection, claim: Claim, agents: AgentManager) -> Message:
    try:
        agent = agents.build(claim.kind)
    except Exception as error:
        return _ended(AttemptEnd.REFUSED, error=_describe(error))
    agent.bind(
        session_id=claim.session_id,
        attempt=claim.attempt,
        idempotency_key=claim.session_id,
        options=ExecutionOptions(
            timeout_seconds=claim.timeout_seconds, max_retries=claim.max_retries
        ),
        reporter=reporter,
    )
    threading.Thread(target=_obey, args=(pipe, agent.stop), daemon=True).start()
    try:
        return _ended(AttemptEnd.RETURNED, result=agent.execute(claim.config))
    except NonRetryableError as error:
        return _ended(AttemptEnd.REFUSED, error=_describe(error))
    except BaseException as error:
        return _ended(AttemptEnd.RAISED, error=_describe(error))


def _obey(pipe: Connection, stop: Any) -> None:
    """Listen to the keeper; a pipe that closes means that it is gone, and so must the agent be."""
    try:
        while pipe.recv_bytes() == _STOP:
            stop()
    except (EOFError, OSError):
        os._exit(1)


def _ended(end: AttemptEnd, *, result: Any = None, error: dict[str, Any] | None = None) -> Message:
    return {"kind": "end", "end": end, "result": result, "error": error}


def _describe(error: BaseException) -> dict[str, Any]:
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": storable_text(error) or type(error).__name__,
        "traceback": storable_text(lines[-MAX_TRACEBACK_CHARACTERS:]),
    }
