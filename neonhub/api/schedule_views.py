"""Schedules in the form that is sent."""

from collections.abc import Sequence
from typing import Any

from neonhub.database import Database
from neonhub.domain.description import describe
from neonhub.models import Schedule
from neonhub.scheduling.last_runs import LastRun, last_runs
from neonhub.scheduling.schedule_body import body_of, recurrence_of


def schedule_view(database: Database, schedule: Schedule) -> dict[str, Any]:
    """One schedule, with what became of its last run."""
    return schedule_views(database, [schedule])[0]


def schedule_views(database: Database, schedules: Sequence[Schedule]) -> list[dict[str, Any]]:
    """Several schedules, with their last runs read at once."""
    runs = last_runs(database, [schedule.id for schedule in schedules])
    return [_view(schedule, runs.get(schedule.id)) for schedule in schedules]


def _view(schedule: Schedule, last: LastRun | None) -> dict[str, Any]:
    return {
        **body_of(schedule),
        "id": schedule.id,
        "agent_id": schedule.agent.slug,
        "name": schedule.name,
        "version": schedule.version,
        "description": describe(recurrence_of(schedule)),
        "paused": schedule.paused_at is not None,
        "pause_reason": schedule.pause_reason,
        "skip_next": schedule.skip_next,
        "next_run_at": schedule.next_run_at,
        "last_run_at": last and last.started_at,
        "last_status": last and last.status,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
    }
