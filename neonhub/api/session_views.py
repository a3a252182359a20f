"""Sessions in the form that is sent."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from neonhub.domain.endings import max_starts
from neonhub.execution.endings import duration_ms
from neonhub.execution.session_history import SHOWN
from neonhub.models import AgentSession

_shown = attrgetter(*SHOWN)


def session_view(session: AgentSession) -> dict[str, Any]:
    """One session, with what follows from its columns."""
    return row_view(_shown(session))


def session_views(sessions: Iterable[AgentSession]) -> list[dict[str, Any]]:
    """Several sessions."""
    return [session_view(session) for session in sessions]


def row_view(row: Sequence[Any]) -> dict[str, Any]:
    """One session that was read as a row; by place, as a name takes ten times as long."""
    view = dict(zip(SHOWN, row, strict=True))
    starts = max_starts(view["max_retries"], view["losses"])
    view["max_attempts"] = max(starts, view["attempt"])
    view["duration_ms"] = duration_ms(view["started_at"], view["finished_at"])
    return view
