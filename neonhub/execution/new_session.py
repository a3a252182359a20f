"""A session that no tick decided."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from neonhub.domain.states import Priority, SessionStatus, Trigger
from neonhub.execution.outbox import known_ids
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession

logger = logging.getLogger(__name__)

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


def log_queued(session: AgentSession) -> None:
    """One line for a session that was asked for; what ticks decide is logged by batch."""
    ids = known_ids(session.agent_id, session.id, session.schedule_id)
    logger.info("A session is queued.", extra={**ids, "trigger": session.trigger})
