"""Sessions in the form that is sent."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from neonhub.execution.endings import duration_ms
from neonhub.models import AgentSession

_SAME = (
    "id",
    "agent_id",
    "schedule_id",
    "scheduled_for",
    "trigger",
    "status",
    "reason",
    "hold_reason",
    "priority",
    "attempt",
    "queued_at",
    "started_at",
    "finished_at",
    "next_attempt_at",
    "progress",
    "worker",
    "input",
    "result",
    "error",
    "missed_count",
    "missed_from",
)
_values = attrgetter(*_SAME)


def session_view(session: AgentSession) -> dict[str, Any]:
    """One session, with what follows from its columns."""
    view = dict(zip(_SAME, _values(session), strict=True))
    view["max_attempts"] = max(session.max_attempts, session.attempt)
    view["duration_ms"] = duration_ms(session)
    view["progress_message"] = session.progress_message
    return view


def session_views(sessions: Iterable[AgentSession]) -> list[dict[str, Any]]:
    """Several sessions."""
    return [session_view(session) for session in sessions]
