"""Whether agents' processes can be started at all."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

FAILURES = 5
"""So many starts that failed in a row mean that the next one would fail, too."""

TRY_AGAIN_SECONDS = 5.0
"""How soon after the last failure one process is started to see whether it can be again."""


class Starts:
    """Counts starts that failed in a row; too many are a fault, until one succeeds."""

    def __init__(self) -> None:
        self._failures = 0
        self._reason = ""
        self._try_at = 0.0

    @property
    def fault(self) -> str | None:
        """Why no agent can start, in a sentence; None: it can."""
        if self._failures < FAILURES:
            return None
        return f"Agents' processes cannot be started: {self._reason}"

    def succeeded(self) -> None:
        """A process began what it was started for."""
        if self.fault:
            logger.info("Agents' processes can be started again.")
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A process could not be started, or died before it began."""
        self._failures += 1
        self._reason = reason
        self._try_at = time.monotonic() + TRY_AGAIN_SECONDS
        if self._failures == FAILURES:
            logger.error("%s Nothing is taken until one can.", self.fault)

    def try_again(self, start: Callable[[], bool]) -> None:
        """While there is a fault, start one process now and then.

        Args:
            start: Says whether it worked; an OSError says why not.
        """
        if not self.fault or time.monotonic() < self._try_at:
            return
        try:
            if start():
                self.succeeded()
            else:
                self.failed(self._reason)
        except OSError as error:
            self.failed(f"{error}.")
