"""How much of the past is kept, and how far the rest of an agent's history reaches."""

from dataclasses import dataclass
from datetime import datetime, timedelta

JUST_ENDED = timedelta(hours=1)
"""What ended within it stays, however many there are: it may still have to be told."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of ended sessions; 0 is no limit."""

    keep_days: int  # since the end
    keep_sessions: int  # of each agent, the newest

    def cutoff(self, now: datetime) -> datetime | None:
        """What ended before it is too old; None if nothing ever is."""
        return now - timedelta(days=self.keep_days) if self.keep_days else None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a session stands in its agent's history; a smaller one is older."""

    queued_at: datetime
    session_id: str


@dataclass(frozen=True, slots=True)
class Bound:
    """What goes of an agent's history: up to a place, itself included, if it has ended by then."""

    place: Place
    ended_before: datetime


def bound(retention: Retention, first_over: Place | None, *, now: datetime) -> Bound | None:
    """The further of the two limits; it covers the other, but for what took long to end.

    Args:
        first_over: The newest ended session that is one too many; None if none is.
        now: Timezone-aware instant that ages are measured at.

    Returns:
        None if nothing goes.
    """
    bounds = []
    cutoff = retention.cutoff(now)
    if cutoff is not None:
        bounds.append(Bound(Place(cutoff, ""), cutoff))
    if first_over is not None:
        bounds.append(Bound(first_over, now - JUST_ENDED))
    return max(bounds, key=lambda each: each.place, default=None)
