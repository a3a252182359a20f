"""Puts the five agents of a fresh start into an empty database."""

import logging
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from neonhub.agents.seeds import SEED_AGENTS, SeedAgent
from neonhub.database import Database
from neonhub.models import Agent
from neonhub.scheduling.schedule_body import DEFAULT_NAME
from neonhub.scheduling.writing import insert_schedule

logger = logging.getLogger(__name__)


def seed(database: Database, *, max_retries: int, now: datetime) -> bool:
    """Create the agents and their schedules, if there has never been an agent.

    All or nothing; of several processes that start together, one does it.

    Args:
        max_retries: Of each schedule.
        now: Timezone-aware instant they are created at.

    Returns:
        Whether they were created now.
    """
    try:
        with database.begin() as db:
            if db.scalar(select(exists().where(Agent.key.is_not(None)))):
                return False
            for agent in SEED_AGENTS:
                _create(db, agent, max_retries, now)
    except IntegrityError:
        return False
    logger.info("Created the %d agents of a fresh start.", len(SEED_AGENTS))
    return True


def _create(db: Session, seeded: SeedAgent, max_retries: int, now: datetime) -> None:
    agent = Agent(
        slug=seeded.id,
        name=seeded.name,
        kind=seeded.kind,
        config=seeded.config,
        created_at=now,
        updated_at=now,
    )
    db.add(agent)
    body = {"cron_expression": seeded.cron_expression}
    insert_schedule(db, agent, DEFAULT_NAME, body, now=now, max_retries=max_retries)
