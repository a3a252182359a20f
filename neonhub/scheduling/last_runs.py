"""When schedules last ran, and how that went, for a whole page of them at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import aliased

from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession, Schedule


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest session of a schedule that started."""

    started_at: datetime
    status: SessionStatus


def last_runs(database: Database, schedule_ids: Collection[str]) -> dict[str, LastRun]:
    """The last run of each schedule; those that never ran are missing."""
    if not schedule_ids:
        return {}
    run = aliased(AgentSession)
    newest = (
        select(run.id)
        .where(run.schedule_id == Schedule.id, run.started_at.is_not(None))
        .order_by(run.queued_at.desc(), run.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = select(newest).where(Schedule.id.in_(schedule_ids))
    query = select(AgentSession.schedule_id, AgentSession.started_at, AgentSession.status)
    with database.read() as db:
        rows = db.execute(query.where(AgentSession.id.in_(found))).all()
    return {
        str(schedule_id): LastRun(started_at, SessionStatus(status))
        for schedule_id, started_at, status in rows
        if started_at is not None
    }
