"""When schedules last ran, and how that went, for a whole page of them at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ScalarSelect, bindparam, select
from sqlalchemy.orm import aliased

from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession, Schedule


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest session of a schedule that started."""

    started_at: datetime
    status: SessionStatus


def newest_run() -> ScalarSelect[str]:
    """The id of the last run of `Schedule`, in a statement about that."""
    run = aliased(AgentSession)
    query = select(run.id).where(run.schedule_id == Schedule.id, run.started_at.is_not(None))
    newest_first = query.order_by(run.queued_at.desc(), run.id.desc())
    return newest_first.limit(1).correlate(Schedule).scalar_subquery()


_SCHEDULES = select(newest_run()).where(Schedule.id.in_(bindparam("ids", expanding=True)))
_LAST_RUNS = select(AgentSession.schedule_id, AgentSession.started_at, AgentSession.status).where(
    AgentSession.id.in_(_SCHEDULES)
)
"""Made once: making it takes longer than running it."""


def last_runs(database: Database, schedule_ids: Collection[str]) -> dict[str, LastRun]:
    """The last run of each schedule; those that never ran are missing."""
    if not schedule_ids:
        return {}
    with database.read_rows() as connection:
        rows = connection.execute(_LAST_RUNS, {"ids": list(schedule_ids)}).all()
    return {
        str(schedule_id): LastRun(started_at, SessionStatus(status))
        for schedule_id, started_at, status in rows
        if started_at is not None
    }
