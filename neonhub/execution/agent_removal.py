"""Removing an agent: its schedules go, what waits is stopped, what runs is left to finish."""

import logging

from redis import Redis
from sqlalchemy import select

from neonhub.agents.repository import AgentRepository
from neonhub.clock import Clock
from neonhub.database import Database
from neonhub.domain.states import Reason, SessionStatus
from neonhub.execution.outbox import Outbox
from neonhub.execution.stops import stop
from neonhub.models import AgentSession, Schedule
from neonhub.redis.queues import TimerMove

logger = logging.getLogger(__name__)

_WAITING = (SessionStatus.QUEUED, SessionStatus.RETRYING)


def remove_agent(
    database: Database, redis: Redis, agents: AgentRepository, agent_id: str, *, clock: Clock
) -> None:
    """Remove an agent with its schedules; its sessions are kept.

    Raises:
        AgentNotFound: No agent has this id.
    """
    outbox = Outbox()
    with database.begin() as db:
        agent = agents.delete(db, agent_id)
        waiting = select(AgentSession).where(
            AgentSession.agent_key == agent.key, AgentSession.status.in_(_WAITING)
        )
        for session in db.scalars(waiting.with_for_update()).all():
            if session.status in _WAITING:
                stop(db, session, outbox, reason=Reason.AGENT_DELETED, now=clock())
        schedules = db.scalars(select(Schedule.id).where(Schedule.agent_key == agent.key))
        outbox.moves += [TimerMove(f"tick:{schedule_id}", None, None) for schedule_id in schedules]
    logger.info("Removed an agent with its schedules.", extra={"agent_id": agent_id})
    outbox.deliver(redis)
