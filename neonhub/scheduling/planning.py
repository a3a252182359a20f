"""Where a schedule stands after it was created or edited."""

from datetime import datetime, timedelta

from neonhub.domain.jitter import jitter_for
from neonhub.domain.occurrences import next_tick
from neonhub.domain.validation import ScheduleFields
from neonhub.models import Schedule
from neonhub.scheduling.schedule_body import fields_of_schedule, recurrence_of

_INSTANT = timedelta(microseconds=1)
_GRID = ("cron_expression", "interval_seconds", "run_at", "timezone")


def plan(
    schedule: Schedule,
    before: ScheduleFields | None,
    now: datetime,
    decided_until: datetime | None = None,
) -> None:
    """Set the grid and the next tick after a change.

    A change of the recurrence, or switching on, counts from now: the old tick never fires. Any
    other change keeps the next tick as long as it exists, even one that is due by now.

    Args:
        schedule: With its new fields.
        before: Its fields before; None for a new one.
        decided_until: The newest tick that was decided, where it lies ahead of a clock that was set
            back: it is not to be decided again.
    """
    after = fields_of_schedule(schedule)
    is_new_grid = before is None or _differs(before, after)
    if is_new_grid:
        schedule.anchor_at = anchor_of(after, now)
    if is_new_grid or schedule.next_tick_at is None:
        since = now
    else:
        since = min(now, schedule.next_tick_at - _INSTANT)
        since = max(since, decided_until or since)
    _set_next(schedule, since)


def _differs(before: ScheduleFields, after: ScheduleFields) -> bool:
    if any(getattr(before, name) != getattr(after, name) for name in _GRID):
        return True
    return after.interval_seconds is not None and before.start_at != after.start_at


def anchor_of(checked: ScheduleFields, now: datetime) -> datetime | None:
    """The first instant of an interval's grid, for a schedule that is new at `now`."""
    if checked.interval_seconds is None:
        return None
    return checked.start_at or now + timedelta(seconds=checked.interval_seconds)


def _set_next(schedule: Schedule, since: datetime) -> None:
    tick = None
    if schedule.enabled and schedule.deleted_at is None and not _is_exhausted(schedule):
        tick = next_tick(recurrence_of(schedule), since)
    schedule.next_tick_at = tick
    schedule.next_run_at = tick and tick + jitter_for(schedule.id, schedule.jitter_seconds)


def _is_exhausted(schedule: Schedule) -> bool:
    return schedule.max_runs is not None and schedule.run_count >= schedule.max_runs
