"""The tables, one a file; constraints carry the invariants."""

from neonhub.models.agent import Agent
from neonhub.models.attempt import Attempt
from neonhub.models.base import Base
from neonhub.models.fleet import Fleet
from neonhub.models.idempotency_key import IdempotencyKey
from neonhub.models.schedule import Schedule
from neonhub.models.schedule_version import ScheduleVersion
from neonhub.models.session import AgentSession
from neonhub.models.session_event import SessionEvent
from neonhub.models.slot import Slot

__all__ = [
    "Agent",
    "AgentSession",
    "Attempt",
    "Base",
    "Fleet",
    "IdempotencyKey",
    "Schedule",
    "ScheduleVersion",
    "SessionEvent",
    "Slot",
]
