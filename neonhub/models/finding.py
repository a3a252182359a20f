"""Finds the rows a client names, or says that they are not there."""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from neonhub.errors import AgentNotFound, ScheduleNotFound
from neonhub.models.agent import Agent
from neonhub.models.schedule import Schedule


def find_agent(db: Session, agent_id: str, *, lock: bool = False, share: bool = False) -> Agent:
    """Read an agent by its slug.

    Args:
        lock: Nobody else may change it, or lock it, until the transaction ends.
        share: Nobody else may change it until the transaction ends.

    Raises:
        AgentNotFound: No agent has this id.
    """
    query = select(Agent).where(Agent.slug == agent_id, Agent.deleted_at.is_(None))
    if lock or share:
        query = query.with_for_update(read=share)
    agent = db.scalars(query).one_or_none()
    if agent is None:
        raise AgentNotFound(f"No agent has the id {agent_id!r}.")
    return agent


def find_schedule(db: Session, schedule_id: str, *, lock: bool = False) -> Schedule:
    """Read a schedule by its id, with its agent.

    Args:
        lock: Nobody else may change it, or decide its ticks, until the transaction ends.

    Raises:
        ScheduleNotFound: No schedule has this id.
    """
    query = live_schedules(select(Schedule)).where(Schedule.id == schedule_id)
    schedule = db.scalars(query.with_for_update(of=Schedule) if lock else query).one_or_none()
    if schedule is None:
        raise ScheduleNotFound(f"There is no schedule {schedule_id!r}.")
    return schedule


def read_pruned_until(db: Session, schedule_id: str) -> datetime | None:
    """The newest tick of a schedule whose row is pruned, as it is now; None if none is.

    To be read after the rows that are looked for: one that is not there may have been pruned.
    """
    return db.scalar(select(Schedule.pruned_until).where(Schedule.id == schedule_id))


def live_schedules(query: Select[Schedule]) -> Select[Schedule]:
    """Only those that were not removed."""
    return query.where(Schedule.deleted_at.is_(None))
