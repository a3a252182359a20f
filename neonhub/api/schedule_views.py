"""Schedules in the form that is sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from neonhub.database import Database
from neonhub.domain.description import describe
from neonhub.domain.schedule import Recurrence
from neonhub.models import Schedule
from neonhub.scheduling.last_runs import last_runs
from neonhub.scheduling.schedule_body import body_of
from neonhub.scheduling.schedule_rows import ScheduleRow


def row_view(row: ScheduleRow) -> dict[str, Any]:
    """One schedule that was only read."""
    return _view(row, row.agent_id, row.last_started_at, row.last_status)


def schedule_view(database: Database, schedule: Schedule) -> dict[str, Any]:
    """One schedule that was written, with what became of its last run."""
    return schedule_views(database, [schedule])[0]


def schedule_views(database: Database, schedules: Sequence[Schedule]) -> list[dict[str, Any]]:
    """Several schedules, with their last runs read at once."""
    runs = last_runs(database, [schedule.id for schedule in schedules])
    views = []
    for schedule in schedules:
        last = runs.get(schedule.id)
        at, status = (last.started_at, last.status) if last else (None, None)
        views.append(_view(schedule, schedule.agent.slug, at, status))
    return views


def _view(
    schedule: Schedule | ScheduleRow,
    agent_id: str,
    last_run_at: datetime | None,
    last_status: str | None,
) -> dict[str, Any]:
    return {
        **body_of(schedule),
        "id": schedule.id,
        "agent_id": agent_id,
        "name": schedule.name,
        "version": schedule.version,
        "description": describe(_words_of(schedule)),
        "paused": schedule.paused_at is not None,
        "pause_reason": schedule.pause_reason,
        "skip_next": schedule.skip_next,
        "next_run_at": schedule.next_run_at,
        "last_run_at": last_run_at,
        "last_status": last_status,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
    }


def _words_of(schedule: Schedule | ScheduleRow) -> Recurrence:
    return Recurrence(
        cron_expression=schedule.cron_expression,
        interval_seconds=schedule.interval_seconds,
        run_at=schedule.run_at,
    )
