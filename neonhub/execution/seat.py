"""Where one worker of a keeper runs its agents, one at a time."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from neonhub.events import Event
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.claims import Claim
from neonhub.execution.watch import Watch
from neonhub.faults import reach


@dataclass(slots=True)
class Seat:
    """A worker's name, its agents' process, and what it is at."""

    worker: str  # as attempts and the status have it
    process: AgentProcess
    claim: Claim | None = None  # None: it is free
    claimed_at: float = field(default=0.0)  # of the monotonic clock, before the claim was made
    watch: Watch | None = None  # None: no agent runs

    def take(self, claim: Claim, *, since: float) -> None:
        """Keep a session that was claimed; its agent has yet to begin.

        Args:
            since: An instant of the monotonic clock before the lease began.
        """
        self.claim, self.claimed_at = claim, since

    @property
    def is_late(self) -> bool:
        """Whether so much of the lease may have passed that it must be renewed first."""
        assert self.claim is not None
        return time.monotonic() - self.claimed_at > self.claim.lease_ms / 3000

    def begin(self) -> None:
        """Start the agent.

        Raises:
            OSError: The system allows no further process.
        """
        assert self.claim is not None
        self.process.start(self.claim)
        self.watch = Watch(self.claim, self.process)
        reach("worker.agent-started")

    def hear(self, *, now: datetime) -> list[Event]:
        """Read what came from the process; the progress that is due is to be published."""
        if self.watch is not None:
            return self.watch.take(now=now)
        self.process.notice()
        return []

    def leave(self) -> None:
        """Be free for the next session."""
        self.claim = self.watch = None
