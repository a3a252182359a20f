"""One attempt, from its agent's start to its end, seen from outside."""

import time
from datetime import datetime

from neonhub.domain.endings import AttemptEnd
from neonhub.events import Event
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.claims import Claim
from neonhub.execution.endings import Outcome
from neonhub.execution.leases import Renewal
from neonhub.execution.reporter import Message
from neonhub.execution.session_log import Line, ProgressFeed, line_of

STORE_SECONDS = 1.0
"""How soon new progress is stored with the lease, so that reading a session shows it."""

SHUTDOWN_FINISH_SECONDS = 3.0
"""How long a running agent may still finish after its worker was asked to shut down."""

SHUTDOWN_STOP_SECONDS = 2.0
"""How long it then has to obey `should_stop` before it is killed and its session handed back."""


class Watch:
    """What one running agent tells, how long it may run, and how it ended; nothing here waits."""

    def __init__(self, claim: Claim, process: AgentProcess) -> None:
        """
        Args:
            process: Where the agent runs, started by then.
        """
        self.claim = claim
        self.process = process
        self.progress = ProgressFeed(claim)
        self.lines: list[Line] = []
        """What it logged and nobody has written yet."""
        self._started = time.monotonic()
        self._renewed = self._started
        self.renew_at = self._started + claim.lease_ms / 3000
        """When its lease is to be renewed, by the monotonic clock."""
        self.kill_at: float | None = None
        """When its agent is killed if it has not ended by then; None: it was not asked to."""
        self._cause: AttemptEnd | None = None  # why the agent was asked to stop, if it was
        self._end: Message | None = None
        self.has_failed_to_start = False
        """Whether the process died before the agent began, and nobody had asked for it."""
        self._is_ghost = False
        self._is_leaving = False

    @property
    def is_ghost(self) -> bool:
        """Whether the attempt was given up as lost, so that its end is nobody's business."""
        return self._is_ghost

    def take(self, *, now: datetime) -> list[Event]:
        """Read what the agent told; the progress that is due is to be published."""
        self._read(now)
        return self.progress.due(now=now)

    def _read(self, now: datetime) -> int:
        """Read what is there, up to a limit; how many messages that was."""
        messages = list(self.process.receive())
        for message in messages:
            match message["kind"]:
                case "progress":
                    self.progress.take(message["percent"], message["message"])
                    self.renew_at = min(self.renew_at, self._renewed + STORE_SECONDS)
                case "log":
                    self.lines.append(line_of(self.claim, message, now=now))
                case _:
                    self._end = message
        return len(messages)

    def has_ended(self, *, now: datetime) -> bool:
        """Whether the attempt is over, and nothing of it goes on; asked again until it is."""
        if not self._is_leaving and self._is_over():
            self._is_leaving = True
            while self.process.has_exited() and self._read(now):
                continue  # what an agent that has died told last
        if not self._is_leaving or not self.process.see_off():
            return False
        if self.process.was_cut_off and self._end is None and self._cause is None:
            self._cause = AttemptEnd.HANDED_BACK  # a fault of this worker, not of the agent
            self.has_failed_to_start = not self.process.has_begun()
        return True

    def look_at_the_time(self, shutdown_since: float | None) -> None:
        """Ask the agent to stop once its time is up.

        Args:
            shutdown_since: When this worker was asked to end, by the monotonic clock.
        """
        now = time.monotonic()
        if now - self._started >= self.claim.timeout_seconds:
            self.ask_to_stop(AttemptEnd.TIMED_OUT)
        if shutdown_since is not None and now - shutdown_since >= SHUTDOWN_FINISH_SECONDS:
            self.ask_to_stop(AttemptEnd.HANDED_BACK, SHUTDOWN_STOP_SECONDS)

    def ask_to_stop(self, cause: AttemptEnd, grace_seconds: float | None = None) -> None:
        """Have the agent stop, and kill it if it doesn't; the first cause stays.

        Args:
            grace_seconds: How long it has; None: as the fleet allows.
        """
        if self._cause is None:
            grace = self.claim.stop_grace_ms / 1000 if grace_seconds is None else grace_seconds
            self._cause, self.kill_at = cause, time.monotonic() + grace
            self.process.ask_to_stop()

    def note(self, renewal: Renewal) -> None:
        """The lease was renewed, unless the attempt was given up."""
        self._renewed = time.monotonic()
        self.renew_at = self._renewed + self.claim.lease_ms / 3000
        self._is_ghost = not renewal.is_mine
        if renewal.stop_requested:
            self.ask_to_stop(AttemptEnd.RAISED)

    def outcome(self) -> Outcome:
        """How the attempt ended; only once it has."""
        end, result, error = AttemptEnd.RAISED, None, None
        if self._end is not None:
            end, result, error = (
                AttemptEnd(self._end["end"]),
                self._end["result"],
                self._end["error"],
            )
        elif self._cause is None:
            error = _error("ProcessDied", self.process.exit_sentence())
        if self._cause is AttemptEnd.TIMED_OUT:
            sentence = f"The agent ran longer than {self.claim.timeout_seconds} seconds."
            end, error = AttemptEnd.TIMED_OUT, _error("Timeout", sentence)
        elif self._cause is AttemptEnd.HANDED_BACK:
            end = AttemptEnd.HANDED_BACK
        return Outcome(end, result, error, self.progress.percent, self.progress.message)

    def _is_over(self) -> bool:
        """Whether the agent has ended, its time is up, or its session is another's."""
        is_late = self.kill_at is not None and time.monotonic() >= self.kill_at
        return self._end is not None or self._is_ghost or is_late or self.process.has_exited()


def _error(type: str, message: str) -> dict[str, str | None]:
    return {"type": type, "message": message, "traceback": None}
