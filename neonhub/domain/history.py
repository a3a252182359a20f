"""Which tick of a schedule was the newest at an instant, through all its edits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from neonhub.domain.occurrences import latest_tick
from neonhub.domain.schedule import Recurrence


@dataclass(frozen=True, slots=True)
class Version:
    """What decided a schedule's ticks from `valid_from` until the next version."""

    valid_from: datetime
    recurrence: Recurrence
    enabled: bool = True
    jitter: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick by its planned instant, and by the one it is moved to by jitter."""

    at: datetime
    scheduled_for: datetime


def newest_tick(versions: Sequence[Version], at: datetime) -> Tick | None:
    """The newest tick at or before an instant, jitter included.

    Each version has the ticks of its own time. One that changed the grid begins with the first
    tick after the edit; any other takes over the tick that was next.

    Args:
        versions: Of one schedule, oldest first.
    """
    end = at
    for number in range(len(versions) - 1, -1, -1):
        version = versions[number]
        if version.valid_from > end:
            continue
        tick = latest_tick(version.recurrence, end - version.jitter) if version.enabled else None
        if tick is not None:
            moved = tick + version.jitter
            before = versions[number - 1] if number else None
            begin = moved if _continues(version, before) else tick
            if begin > version.valid_from:
                return Tick(tick, moved)
        end = version.valid_from
    return None


def _continues(version: Version, before: Version | None) -> bool:
    if before is None or not before.enabled:
        return False
    return _grid(version.recurrence) == _grid(before.recurrence)


def _grid(rec: Recurrence) -> tuple[object, ...]:
    return rec.cron_expression, rec.timezone, rec.interval_seconds, rec.anchor, rec.run_at
