"""What the views call: one set of services an application."""

from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis

from neonhub.agents.repository import AgentRepository
from neonhub.clock import Clock
from neonhub.config import Settings
from neonhub.database import Database
from neonhub.execution.session_manager import SessionManager
from neonhub.scheduling.schedule_manager import ScheduleManager


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by `create_app`; safe to use from many requests at a time."""

    settings: Settings
    database: Database
    redis: Redis
    clock: Clock
    agents: AgentRepository
    schedules: ScheduleManager
    sessions: SessionManager


def services() -> Services:
    """The services of the application that handles this request."""
    return cast(Services, current_app.extensions["neonhub"])
