"""Agents as people ask for them: create, read, change, remove."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from neonhub.agents.manager import AgentManager
from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.errors import AgentExists
from neonhub.models import Agent, Schedule
from neonhub.models.finding import find_agent
from neonhub.models.page import Page

logger = logging.getLogger(__name__)


class AgentRepository:
    """Keeps agents; a removed one stays in the database for its sessions."""

    def __init__(self, database: Database, agents: AgentManager, *, clock: Clock = utcnow) -> None:
        """
        Args:
            agents: Knows the kinds, and checks configs against them.
        """
        self._database = database
        self._agents = agents
        self._clock = clock

    def create(self, id: str, *, name: str, kind: str, config: Mapping[str, Any]) -> Agent:
        """Create an agent.

        Raises:
            InvalidInput: No class has this kind, or it refuses the config.
            AgentExists: An agent has this id.
        """
        checked = self._agents.validate_config(kind, dict(config))
        now = self._clock()
        agent = Agent(slug=id, name=name, kind=kind, config=checked, created_at=now, updated_at=now)
        try:
            with self._database.begin() as db:
                db.add(agent)
        except IntegrityError as error:
            raise AgentExists(f"An agent with the id {id!r} exists already.") from error
        logger.info("Created an agent.", extra={"agent_id": agent.slug})
        return agent

    def get(self, agent_id: str) -> Agent:
        """Read an agent.

        Raises:
            AgentNotFound: No agent has this id.
        """
        with self._database.read() as db:
            return find_agent(db, agent_id)

    def list(self, *, page: int = 1, page_size: int = 50) -> Page[Agent]:
        """Agents by id, page by page."""
        live = Agent.deleted_at.is_(None)
        query = select(Agent).where(live).order_by(Agent.slug)
        with self._database.read() as db:
            total = db.scalar(select(func.count()).select_from(Agent).where(live)) or 0
            items = db.scalars(query.limit(page_size).offset((page - 1) * page_size)).all()
            return Page(items, page=page, page_size=page_size, total=total)

    def update(self, agent_id: str, changes: Mapping[str, Any]) -> Agent:
        """Change single fields: `name`, `kind`, `config`; a config is replaced whole.

        Raises:
            AgentNotFound: No agent has this id.
            InvalidInput: No class has this kind, or it refuses the config.
        """
        with self._database.begin() as db:
            agent = find_agent(db, agent_id, lock=True)
            kind = changes.get("kind", agent.kind)
            config = changes.get("config", agent.config)
            agent.config = self._agents.validate_config(kind, dict(config))
            agent.kind = kind
            agent.name = changes.get("name", agent.name)
            agent.updated_at = self._clock()
        logger.info("Changed an agent.", extra={"agent_id": agent.slug})
        return agent

    def delete(self, db: Session, agent_id: str) -> Agent:
        """Remove an agent with its schedules, inside the caller's transaction.

        Raises:
            AgentNotFound: No agent has this id.
        """
        agent = find_agent(db, agent_id, lock=True)
        now = self._clock()
        agent.deleted_at = now
        gone = {"deleted_at": now, "updated_at": now, "next_tick_at": None, "next_run_at": None}
        mine = (Schedule.agent_key == agent.key, Schedule.deleted_at.is_(None))
        db.execute(update(Schedule).where(*mine).values(gone))
        return agent
