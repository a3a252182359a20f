"""Schedules in the form that is sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.description import describe
from neonhub.models import AgentSession, Schedule
from neonhub.scheduling.schedule_body import body_of, recurrence_of


def schedule_view(database: Database, schedule: Schedule) -> dict[str, Any]:
    """One schedule, with what became of its last run."""
    return schedule_views(database, [schedule])[0]


def schedule_views(database: Database, schedules: Sequence[Schedule]) -> list[dict[str, Any]]:
    """Several schedules; one index lookup each for the last run."""
    with database.read() as db:
        return [_view(schedule, _last_run(db, schedule.id)) for schedule in schedules]


def _last_run(db: Session, schedule_id: str) -> AgentSession | None:
    ran = (AgentSession.schedule_id == schedule_id, AgentSession.started_at.is_not(None))
    newest = select(AgentSession).where(*ran).order_by(AgentSession.queued_at.desc()).limit(1)
    return db.scalars(newest).one_or_none()


def _view(schedule: Schedule, last: AgentSession | None) -> dict[str, Any]:
    return {
        **body_of(schedule),
        "id": schedule.id,
        "agent_id": schedule.agent.slug,
        "name": schedule.name,
        "version": schedule.version,
        "description": describe(recurrence_of(schedule)),
        "paused": schedule.paused_at is not None,
        "pause_reason": schedule.pause_reason,
        "next_run_at": schedule.next_run_at,
        "last_run_at": last and last.started_at,
        "last_status": last and last.status,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
    }
