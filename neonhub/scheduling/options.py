"""What a scheduler may be told."""

from dataclasses import dataclass

from neonhub.config import Settings
from neonhub.scheduling.timers import CLAIM_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerOptions:
    """How one scheduler works; the limits of the fleet are in the database."""

    check_interval_ms: int = 60_000  # between two sweeps of the database; firing awaits none
    max_retries: int = 3  # of a schedule that does not say
    claim_limit: int = CLAIM_LIMIT  # timers decided in one transaction

    @classmethod
    def from_settings(cls, settings: Settings) -> "SchedulerOptions":
        """The options this process's settings ask for."""
        return cls(
            check_interval_ms=settings.scheduler_check_interval_ms,
            max_retries=settings.max_retries,
        )
