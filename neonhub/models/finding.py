"""Finds the rows a client names, or says that they are not there."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    select,
)
from sqlalchemy.orm import Session

from neonhub.errors import AgentNotFound, ScheduleNotFound
from neonhub.models.agent import Agent
from neonhub.models.schedule import Schedule


def is_agent(slug: BindParameter[Any]) -> ColumnElement[bool]:
    """That an agent is the one of a slug, and not removed."""
    return and_(Agent.slug == slug, Agent.deleted_at.is_(None))


_AGENT = select(Agent).where(is_agent(bindparam("slug")))
_AGENT_KEY = _AGENT.with_only_columns(Agent.key)
_SCHEDULE = select(Schedule).where(Schedule.id == bindparam("id"), Schedule.deleted_at.is_(None))
"""Made once: making a statement takes longer than running it."""


def find_agent(db: Session, agent_id: str, *, lock: bool = False, share: bool = False) -> Agent:
    """Read an agent by its slug.

    Args:
        lock: Nobody else may change it, or lock it, until the transaction ends.
        share: Nobody else may change it until the transaction ends.

    Raises:
        AgentNotFound: No agent has this id.
    """
    query = _AGENT.with_for_update(read=share) if lock or share else _AGENT
    agent = db.scalars(query, {"slug": agent_id}).one_or_none()
    if agent is None:
        raise _no_agent(agent_id)
    return agent


def find_agent_key(connection: Connection, agent_id: str) -> int:
    """The key of an agent, by its slug.

    Raises:
        AgentNotFound: No agent has this id.
    """
    key = connection.scalar(_AGENT_KEY, {"slug": agent_id})
    if key is None:
        raise _no_agent(agent_id)
    return key


def agent_key_of(slug: BindParameter[Any]) -> ScalarSelect[int]:
    """The same inside another statement, NULL if there is none: it needs no answer of its own."""
    return select(Agent.key).where(is_agent(slug)).scalar_subquery()


def find_schedule(db: Session, schedule_id: str, *, lock: bool = False) -> Schedule:
    """Read a schedule by its id, with its agent.

    Args:
        lock: Nobody else may change it, or decide its ticks, until the transaction ends.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    query = _SCHEDULE.with_for_update(of=Schedule) if lock else _SCHEDULE
    schedule = db.scalars(query, {"id": schedule_id}).one_or_none()
    if schedule is None:
        raise no_schedule(schedule_id)
    return schedule


def read_pruned_until(db: Session, schedule_id: str) -> datetime | None:
    """The newest tick of a schedule whose row is pruned, as it is now; None if none is.

    To be read after the rows that are looked for: one that is not there may have been pruned.
    """
    return db.scalar(select(Schedule.pruned_until).where(Schedule.id == schedule_id))


def _no_agent(agent_id: str) -> AgentNotFound:
    return AgentNotFound(f"No agent has the id {agent_id!r}.")


def no_schedule(schedule_id: str) -> ScheduleNotFound:
    """What is raised where no schedule has an id."""
    return ScheduleNotFound(f"There is no schedule {schedule_id!r}.")


def live_schedules(query: Select[Schedule]) -> Select[Schedule]:
    """Only those that were not removed."""
    return query.where(Schedule.deleted_at.is_(None))
