"""A schedule as clients read it: one row with its agent's slug and its last run, no objects."""

from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, bindparam, select
from sqlalchemy.orm import aliased

from neonhub.database import Database
from neonhub.errors import ScheduleNotFound
from neonhub.models import Agent, AgentSession, Schedule
from neonhub.models.finding import find_agent_key, is_agent, no_schedule
from neonhub.scheduling.last_runs import newest_run
from neonhub.scheduling.schedule_body import DEFAULT_NAME
from neonhub.statements import run

ScheduleRow: TypeAlias = Any
"""The columns of `Schedule`, `agent_id`, `last_started_at` and `last_status`."""


def read_schedule(database: Database, schedule_id: str) -> ScheduleRow:
    """Read a schedule by its id.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    with database.read_rows() as connection:
        found = run(connection, _BY_ID, {"id": schedule_id})
    if not found:
        raise no_schedule(schedule_id)
    return found[0]


def read_agent_schedule(database: Database, agent_id: str, name: str = DEFAULT_NAME) -> ScheduleRow:
    """Read an agent's schedule by its name.

    Raises:
        AgentNotFound: No agent has this id.
        ScheduleNotFound: It has no schedule of this name.
    """
    with database.read_rows() as connection:
        found = run(connection, _BY_NAME, {"slug": agent_id, "name": name})
        if not found:
            raise _no_schedule_of(connection, agent_id, name)
    return found[0]


def _no_schedule_of(connection: Connection, agent_id: str, name: str) -> ScheduleNotFound:
    find_agent_key(connection, agent_id)
    return ScheduleNotFound(f"Agent {agent_id!r} has no schedule {name!r}.")


def _rows() -> Select[*tuple[Any, ...]]:
    run = aliased(AgentSession)
    return (
        select(
            *Schedule.__table__.columns,
            Agent.slug.label("agent_id"),
            run.started_at.label("last_started_at"),
            run.status.label("last_status"),
        )
        .join(Agent, Agent.key == Schedule.agent_key)
        .outerjoin(run, run.id == newest_run())
        .where(Schedule.deleted_at.is_(None))
    )


_BY_ID = _rows().where(Schedule.id == bindparam("id"))
_BY_NAME = _rows().where(is_agent(bindparam("slug")), Schedule.name == bindparam("name"))
"""Made once: making a statement takes longer than running it."""
