"""One process of the system: started, started again when it dies, ended."""

import logging
import signal
from collections.abc import Callable
from contextlib import suppress

from neonhub.errors import NeonHubError
from neonhub.startup import EXIT_WRONG_SETTING
from neonhub.system.program import Process

logger = logging.getLogger(__name__)

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 4.0
"""Enough that a broken part costs little, and that one which was killed often is soon back."""

STEADY_SECONDS = 10.0
"""A part that ran so long starts again without delay from earlier failures."""


class PartRefused(NeonHubError):
    """A part of the system cannot run with these settings."""


class Part:
    """A child process that is to be there always."""

    def __init__(self, name: str, start: Callable[[], Process]) -> None:
        """
        Args:
            start: Starts the process; called again after each death.
        """
        self.name = name
        self._start_process = start
        self._process: Process | None = None
        self._failures = 0
        self._started_at = 0.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The id of its process; None while there is none."""
        return self._process.pid if self._process is not None else None

    def step(self, now: float) -> None:
        """Start the process if it is due; notice if it died.

        Args:
            now: Seconds of a monotonic clock.

        Raises:
            PartRefused: It ended for a wrong setting, which starting again does not mend.
        """
        if self._process is not None:
            self._notice_end(now)
        if self._process is None and now >= self._start_at:
            self._start(now)

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether no process of this part is left."""
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        self._started_at = now
        self._process = self._start_process()

    def _notice_end(self, now: float) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is None:
            return
        self._process = None
        if code == EXIT_WRONG_SETTING:
            raise PartRefused(f"The {self.name} cannot run with these settings.")
        if now - self._started_at >= STEADY_SECONDS:
            self._failures = 0
        delay = min(LONGEST_RESTART_SECONDS, FIRST_RESTART_SECONDS * 2**self._failures)
        self._failures += 1
        self._start_at = now + delay
        logger.error(
            "The %s has ended and starts again.",
            self.name,
            extra={"exit_code": code, "delay_seconds": delay},
        )

    def _signal(self, signum: int) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signum)
