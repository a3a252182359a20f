"""The life of an agent inside its own process."""

import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from neonhub.agents import AgentManager, ExecutionOptions, NonRetryableError
from neonhub.agents.serialisable import require_size, storable_text
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.claims import Claim
from neonhub.execution.reporter import Message, PipeReporter
from neonhub.process import die_with_parent, limit_memory

MAX_TRACEBACK_CHARACTERS = 64 * 1024
MAX_MESSAGE_CHARACTERS = 8 * 1024

STOP = b"stop"
"""What the keeper sends to ask for a stop."""


def live(pipe: Connection, parent: int, claim: Claim, agents: AgentManager) -> None:
    """The child's whole life; it never returns."""
    status = 1
    try:
        die_with_parent(parent)
        os.setsid()
        limit_memory(claim.max_memory_bytes)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(signum, signal.SIG_DFL)
        reporter = PipeReporter(
            pipe, max_lines=claim.max_log_lines, max_line_bytes=claim.max_log_line_bytes
        )
        end = _execute(reporter, pipe, claim, agents)
        sys.stdout.flush()
        sys.stderr.flush()
        reporter.send(end)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _execute(
    reporter: PipeReporter, pipe: Connection, claim: Claim, agents: AgentManager
) -> Message:
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
        result = agent.execute(claim.config)
        require_size(result, claim.max_result_bytes)
        return _ended(AttemptEnd.RETURNED, result=result)
    except NonRetryableError as error:
        return _ended(AttemptEnd.REFUSED, error=_describe(error))
    except BaseException as error:
        return _ended(AttemptEnd.RAISED, error=_describe(error))


def _obey(pipe: Connection, stop: Any) -> None:
    """Listen to the keeper; a pipe that closes means that it is gone, and so must the agent be."""
    try:
        while pipe.recv_bytes() == STOP:
            stop()
    except (EOFError, OSError):
        os._exit(1)


def _ended(end: AttemptEnd, *, result: Any = None, error: dict[str, Any] | None = None) -> Message:
    return {"kind": "end", "end": end, "result": result, "error": error}


def _describe(error: BaseException) -> dict[str, Any]:
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": storable_text(error)[:MAX_MESSAGE_CHARACTERS] or type(error).__name__,
        "traceback": storable_text(lines[-MAX_TRACEBACK_CHARACTERS:]),
    }
