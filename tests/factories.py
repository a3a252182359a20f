"""Rows for tests, with every value a test doesn't care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from neonhub.database import Database
from neonhub.domain.states import Priority, SessionStatus, Trigger
from neonhub.execution.slots import fit_slots
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession, Fleet, Schedule

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The instant tests start at: a Monday noon, far from any clock change."""


def add_fleet(database: Database, **limits: Any) -> None:
    """Write the shared limits and their slots."""
    values = {
        "max_concurrent": 5,
        "backoff_base_ms": 1000,
        "backoff_max_ms": 300_000,
        "stop_grace_ms": 5000,
        "lease_ms": 15_000,
    }
    with database.begin() as db:
        db.add(Fleet(id=1, fired_total=0, **(values | limits)))
        db.flush()
        fit_slots(db)


def change_limit(database: Database, max_concurrent: int) -> None:
    """Change how many may run at once, as a scheduler does that starts with another setting."""
    with database.begin() as db:
        db.get_one(Fleet, 1).max_concurrent = max_concurrent
        db.flush()
        fit_slots(db)


def add_agent(
    database: Database, slug: str = "reporter", *, kind: str = "noop", **config: Any
) -> Agent:
    """Insert an agent."""
    agent = Agent(
        slug=slug, name=slug.title(), kind=kind, config=config, created_at=NOW, updated_at=NOW
    )
    with database.begin() as db:
        db.add(agent)
    return agent


def add_schedule(database: Database, agent: Agent, **values: Any) -> Schedule:
    """Insert a schedule, every minute unless told otherwise, due next at the full minute."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "agent_key": agent.key,
        "name": "default",
        "version": 1,
        "enabled": True,
        "interval": "every minute",
        "interval_seconds": 60.0,
        "anchor_at": NOW,
        "timezone": "UTC",
        "priority": Priority.NORMAL,
        "input": {},
        "max_retries": 3,
        "timeout_seconds": 600,
        "jitter_seconds": 0,
        "overlap": "SKIP",
        "catch_up": "LATEST",
        "catch_up_window_seconds": 3600,
        "next_tick_at": NOW + timedelta(minutes=1),
        "created_at": NOW,
        "updated_at": NOW,
    }
    values = defaults | values
    values.setdefault("next_run_at", values["next_tick_at"])
    values["priority_rank"] = Priority(values["priority"]).rank
    schedule = Schedule(**values)
    with database.begin() as db:
        db.add(schedule)
    return schedule


def add_session(database: Database, agent: Agent, **values: Any) -> AgentSession:
    """Insert a session that waits on its queue, pushed once."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "agent_key": agent.key,
        "agent_id": agent.slug,
        "trigger": Trigger.MANUAL,
        "status": SessionStatus.QUEUED,
        "priority": Priority.NORMAL,
        "attempt": 1,
        "failures": 0,
        "losses": 0,
        "max_retries": 3,
        "timeout_seconds": 600,
        "queued_at": NOW,
        "pushes": 1,
        "pushed_at": NOW,
        "input": {},
    }
    values = defaults | values
    values["priority_rank"] = Priority(values["priority"]).rank
    session = AgentSession(**values)
    with database.begin() as db:
        db.add(session)
    return session


def reload(database: Database, session: AgentSession) -> AgentSession:
    """The session as it is in the database now."""
    with database.read() as db:
        return db.get_one(AgentSession, session.id)
