"""What decides the ticks of a schedule."""

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Recurrence(NamedTuple):
    """Exactly one of a cron expression, an interval and one instant, within a window.

    All instants are timezone-aware. `anchor` is the first instant of an interval's grid; ticks
    before `start_at` or after `end_at` do not exist.
    """

    cron_expression: str | None = None
    interval_seconds: float | None = None
    run_at: datetime | None = None
    timezone: str = "UTC"
    anchor: datetime | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose wall clock a cron expression means."""
        return ZoneInfo(self.timezone)

    def jittered(self, jitter: timedelta) -> "Recurrence":
        """The same without the ticks that jitter would carry past `end_at`."""
        if self.end_at is None or not jitter:
            return self
        return self._replace(end_at=self.end_at - jitter)
