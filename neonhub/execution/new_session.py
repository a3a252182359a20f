"""A session that no tick decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from neonhub.domain.states import Priority, SessionStatus, Trigger
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession

DEFAULT_TIMEOUT_SECONDS = 600


def new_session(
    agent: Agent,
    *,
    trigger: Trigger,
    input: Mapping[str, Any],
    priority: Priority,
    max_retries: int,
    now: datetime,
    schedule_id: str | None = None,
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS,
) -> AgentSession:
    """A queued session that was not handed over yet."""
    return AgentSession(
        id=new_id(),
        agent_key=agent.key,
        agent_id=agent.slug,
        schedule_id=schedule_id,
        trigger=trigger,
        status=SessionStatus.QUEUED,
        priority=priority,
        priority_rank=priority.rank,
        attempt=1,
        failures=0,
        losses=0,
        pushes=0,
        max_retries=max_retries,
        timeout_seconds=timeout_seconds,
        queued_at=now,
        input=dict(input),
    )
