"""What a session becomes when one of its attempts ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from neonhub.domain.backoff import backoff_ms
from neonhub.domain.states import Reason, SessionStatus

MAX_LOSSES = 3
"""The lost worker that ends a session: the first and second are forgiven."""


class AttemptEnd(StrEnum):
    """How one attempt ended."""

    RETURNED = "RETURNED"  # the agent returned a result
    RAISED = "RAISED"  # it raised, or its process died
    REFUSED = "REFUSED"  # it raised NonRetryableError
    TIMED_OUT = "TIMED_OUT"  # it ran longer than allowed
    LOST = "LOST"  # its worker stopped renewing the lease
    HANDED_BACK = "HANDED_BACK"  # its worker shut down and gave the session back


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the session at that moment, and the limits that hold for it."""

    failures: int  # attempts that used up a retry so far
    losses: int  # workers lost so far
    max_retries: int
    stop_requested: bool
    stop_reason: str | None
    backoff_base_ms: int
    backoff_max_ms: int


@dataclass(frozen=True, slots=True)
class NextState:
    """The session's state after the attempt."""

    status: SessionStatus
    reason: str | None
    failures: int
    losses: int
    next_attempt_at: datetime | None = None


def max_starts(max_retries: int, losses: int) -> int:
    """How many starts a session may have: the first, its retries, one for each lost worker."""
    return 1 + max_retries + losses


def after_attempt(end: AttemptEnd, standing: Standing, now: datetime) -> NextState:
    """The state a session takes when an attempt ends.

    Only the agent's own failures use up retries; a lost worker doesn't, up to `MAX_LOSSES`
    times, and a worker that hands its session back never does. A stop asked for wins over
    every other end, so a stopped session is not started again.

    Args:
        end: How the attempt ended.
        standing: The session's counts and limits before this end.
        now: The instant the attempt ended at, timezone-aware.

    Returns:
        `QUEUED` (starts again at once), `RETRYING` (at `next_attempt_at`), or an ended state.
    """
    failures = standing.failures + (end in _OWN_FAILURES)
    losses = standing.losses + (end is AttemptEnd.LOST)

    def ended(status: SessionStatus, reason: str | None = None) -> NextState:
        return NextState(status, reason, failures, losses)

    if standing.stop_requested:
        return ended(SessionStatus.STOPPED, standing.stop_reason)
    if end is AttemptEnd.RETURNED:
        return ended(SessionStatus.COMPLETED)
    if end is AttemptEnd.LOST and losses >= MAX_LOSSES:
        return ended(SessionStatus.FAILED, Reason.WORKER_LOST)
    if end in (AttemptEnd.LOST, AttemptEnd.HANDED_BACK):
        return ended(SessionStatus.QUEUED)
    reason = Reason.TIMEOUT if end is AttemptEnd.TIMED_OUT else Reason.ERROR
    if end is AttemptEnd.REFUSED or failures > standing.max_retries:
        return ended(SessionStatus.FAILED, reason)
    wait = backoff_ms(failures, standing.backoff_base_ms, standing.backoff_max_ms)
    return NextState(
        SessionStatus.RETRYING, reason, failures, losses, now + timedelta(milliseconds=wait)
    )


_OWN_FAILURES = frozenset({AttemptEnd.RAISED, AttemptEnd.REFUSED, AttemptEnd.TIMED_OUT})
