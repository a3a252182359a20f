"""The life of the process that agents run in."""

import contextvars
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from mmap import mmap
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NoReturn

from neonhub.agents import AgentManager, ExecutionOptions, NonRetryableError
from neonhub.agents.serialisable import require_size, storable_text
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.agent_traces import Recycling, Traces
from neonhub.execution.claims import Claim
from neonhub.execution.reporter import Message, PipeReporter, encode
from neonhub.process import die_with_parent, limit_memory

MAX_TRACEBACK_CHARACTERS = 64 * 1024
MAX_MESSAGE_CHARACTERS = 8 * 1024

STOP = b"stop"
"""What the keeper sends to ask for a stop; everything else it sends is a claim to run."""

END = "end"
"""The kind of a run's last message."""

READY = "ready"
"""The kind of the message that asks for the first run, or the next one."""

BEGAN = 1
"""What stands in the shared byte once a run has begun."""


def live(
    pipe: Connection,
    parent: int,
    agents: AgentManager,
    recycling: Recycling,
    max_memory_bytes: int | None,
    begun: mmap,
) -> NoReturn:
    """The child's whole life; it never returns.

    Args:
        begun: A byte it shares with its keeper, which clears it before each run.
    """
    status = 1
    try:
        die_with_parent(parent)
        os.setsid()
        limit_memory(max_memory_bytes)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(signum, signal.SIG_DFL)
        _serve(pipe, agents, recycling, begun)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(pipe: Connection, agents: AgentManager, recycling: Recycling, begun: mmap) -> None:
    """Run what the keeper sends, until one run too many or one that left something behind."""
    inbox = _Inbox(pipe)
    traces = Traces(recycling.max_growth_bytes)
    for left in reversed(range(recycling.max_runs)):
        pipe.send_bytes(encode({"kind": READY}))
        claim = inbox.next_claim()
        begun[0] = BEGAN
        reporter = PipeReporter(
            pipe, max_lines=claim.max_log_lines, max_line_bytes=claim.max_log_line_bytes
        )
        # A context of its own: what a run sets there ends with it.
        end = contextvars.Context().run(_execute, reporter, inbox, claim, agents)
        sys.stdout.flush()
        sys.stderr.flush()
        reporter.send(end)
        if not left or not traces.wipe():
            return


class _Inbox:
    """What the keeper sends, read by a thread of its own while the agent works."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._claims: SimpleQueue[Claim] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_stop_wanted = False
        self._stop: Callable[[], None] | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def next_claim(self) -> Claim:
        """The next run, waiting for it."""
        return self._claims.get()

    def obey(self, stop: Callable[[], None] | None) -> None:
        """What to call when a stop of the present run is asked for, or was; None: nothing more."""
        with self._lock:
            self._stop = stop
            if self._is_stop_wanted:
                self._ask()

    def _read(self) -> None:
        """A pipe that closes means that the keeper is gone, and so must the agent be."""
        try:
            while True:
                self._take(self._pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)

    def _take(self, message: bytes) -> None:
        with self._lock:
            self._is_stop_wanted = message == STOP
            if self._is_stop_wanted:
                self._ask()
            else:
                self._claims.put(Claim(**json.loads(message)))

    def _ask(self) -> None:
        """An agent's own `stop` may fail or hang; its next stop is a kill."""
        if self._stop is not None:
            threading.Thread(target=self._stop, daemon=True).start()


def _execute(reporter: PipeReporter, inbox: _Inbox, claim: Claim, agents: AgentManager) -> Message:
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
    inbox.obey(agent.stop)
    try:
        result = agent.execute(claim.config)
        require_size(result, claim.max_result_bytes)
        return _ended(AttemptEnd.RETURNED, result=result)
    except NonRetryableError as error:
        return _ended(AttemptEnd.REFUSED, error=_describe(error))
    except BaseException as error:
        return _ended(AttemptEnd.RAISED, error=_describe(error))
    finally:
        inbox.obey(None)


def _ended(end: AttemptEnd, *, result: Any = None, error: dict[str, Any] | None = None) -> Message:
    return {"kind": END, "end": end, "result": result, "error": error}


def _describe(error: BaseException) -> dict[str, Any]:
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": storable_text(error)[:MAX_MESSAGE_CHARACTERS] or type(error).__name__,
        "traceback": storable_text(lines[-MAX_TRACEBACK_CHARACTERS:]),
    }
