"""One process of the system: started, started again when it dies, ended."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from neonhub.errors import NeonHubError
from neonhub.process import die_with_parent
from neonhub.startup import EXIT_WRONG_SETTING

logger = logging.getLogger(__name__)

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 4.0
"""Enough that a broken part costs little, and that one which was killed often is soon back."""

STEADY_SECONDS = 10.0
"""A part that ran so long starts again without delay from earlier failures."""


class PartRefused(NeonHubError):
    """A part of the system cannot run with these settings."""


class Part:
    """A Python module that runs as a child process."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        env: Mapping[str, str],
        death_signal: int = signal.SIGKILL,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """
        Args:
            module: Run as `python -m module`.
            env: Its whole environment.
            death_signal: What it gets when this process dies.
            pass_fds: Open files it inherits under the same numbers.
        """
        self.name = name
        self._command = [sys.executable, "-m", module]
        self._env = dict(env)
        self._death_signal = death_signal
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
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
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            pass_fds=self._pass_fds,
            start_new_session=True,  # Ctrl-C on the terminal is for its parent to handle
            preexec_fn=partial(die_with_parent, os.getpid(), self._death_signal),
        )

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
