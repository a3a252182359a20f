"""Agents: what runs, how its class is written, and how NeonHub finds it."""

from neonhub.agents.base import BaseAgent, ExecutionOptions, Reporter
from neonhub.agents.errors import NonRetryableError, ResultNotSerialisable, UnknownKind
from neonhub.agents.manager import AgentManager

__all__ = [
    "AgentManager",
    "BaseAgent",
    "ExecutionOptions",
    "NonRetryableError",
    "Reporter",
    "ResultNotSerialisable",
    "UnknownKind",
]
