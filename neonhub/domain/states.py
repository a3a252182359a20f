"""The words of the contract as enums: states of sessions and schedulers, policies, reasons."""

from enum import StrEnum


class SessionStatus(StrEnum):
    """Where a session stands in its life; `docs/state-machine.md` draws the changes."""

    QUEUED = "QUEUED"  # decided, waits for a worker or for what `hold_reason` says
    RUNNING = "RUNNING"  # a worker has it and renews its lease
    RETRYING = "RETRYING"  # an attempt failed; the next starts at `next_attempt_at`
    COMPLETED = "COMPLETED"  # the agent returned
    FAILED = "FAILED"  # it raised, or its process died, and no retry is left
    STOPPED = "STOPPED"  # a person stopped it, or a newer tick replaced it
    SKIPPED = "SKIPPED"  # a tick that was due but not run
    MISSED = "MISSED"  # a run of ticks that were due and not chosen to be caught up

    @property
    def is_active(self) -> bool:
        """Whether the session waits, runs or will run again."""
        return self in ACTIVE

    @property
    def is_ended(self) -> bool:
        """Whether nothing can happen to the session any more."""
        return self not in ACTIVE


ACTIVE = frozenset({SessionStatus.QUEUED, SessionStatus.RUNNING, SessionStatus.RETRYING})
RETRYABLE = frozenset({SessionStatus.FAILED, SessionStatus.STOPPED})


class Trigger(StrEnum):
    """What made a session."""

    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"
    RETRY = "RETRY"
    BACKFILL = "BACKFILL"


class Priority(StrEnum):
    """How urgent a session is; each priority has a queue of its own."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"

    @property
    def rank(self) -> int:
        """0 for the most urgent, 3 for the least: the order in queries."""
        return list(Priority).index(self)

    @property
    def queue(self) -> str:
        """The name of its RQ queue."""
        return self.value.lower()


QUEUES = tuple(priority.queue for priority in Priority)
"""The four RQ queues, most urgent first."""


class HoldReason(StrEnum):
    """What a queued session waits for, other than a worker."""

    SLOT = "slot"
    OVERLAP = "overlap"
    CATCH_UP = "catch_up"
    BACKFILL = "backfill"


class Overlap(StrEnum):
    """What happens to a tick while an earlier session of its schedule is active."""

    SKIP = "SKIP"
    QUEUE_ONE = "QUEUE_ONE"
    ALLOW = "ALLOW"
    REPLACE = "REPLACE"


class CatchUp(StrEnum):
    """Which of the ticks missed within the catch-up window run."""

    LATEST = "LATEST"
    ALL = "ALL"
    NONE = "NONE"


class SchedulerState(StrEnum):
    """The whole scheduler in one word; where several hold, the first of ERROR, PAUSED, IDLE."""

    IDLE = "IDLE"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ERROR = "ERROR"


class Outcome(StrEnum):
    """What became of a tick."""

    FIRED = "FIRED"  # it became a session that runs, or ran
    SKIPPED = "SKIPPED"  # it was due and not run, for a reason
    MISSED = "MISSED"  # it was due while nobody decided, and not caught up
    PENDING = "PENDING"  # it is not decided yet, mostly as it is still to come
    NOT_A_TICK = "NOT_A_TICK"  # no tick lies there or before, or none that is still known of


class Reason(StrEnum):
    """Why a session or a tick ended as it did."""

    ERROR = "error"  # the agent raised, or its process died
    TIMEOUT = "timeout"  # the agent ran longer than its schedule's timeoutSeconds
    WORKER_LOST = "worker_lost"  # its worker died three times
    STOPPED = "stopped"  # a person stopped it
    REPLACED = "replaced"  # a newer tick replaced it
    AGENT_DELETED = "agent_deleted"  # its agent was deleted while it waited
    OVERLAP = "overlap"  # an earlier session of its schedule was active
    QUEUE_FULL = "queue_full"  # as many sessions of its agent waited as are allowed
    PAUSED = "paused"  # its schedule, or the whole scheduler, was paused
    SKIPPED_BY_USER = "skip_next"  # a person skipped this one tick
    CATCH_UP = "catch_up"  # missed, and not chosen to be caught up
    EDITED = "edited"  # due when its schedule was changed, and not decided until then
    NO_RECORD = "no_record"  # long past, and without a row
    PRUNED = "pruned"  # decided, and its row pruned: nobody knows any more how
    ENDED = "ended"  # its schedule had run as often as maxRuns allows
    WINDOW = "catch_up_window"  # missed, and older than the catch-up window
