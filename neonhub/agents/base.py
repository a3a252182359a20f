"""The base class of every agent."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, ClassVar, Final, Protocol, Self

from marshmallow import Schema

from neonhub.agents.serialisable import require_serialisable, storable, storable_text

LEVELS: Final = ("info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOptions:
    """The limits one execution runs under; an agent may read them, the keeper enforces them.

    Attributes:
        timeout_seconds: After this long the agent is asked to stop, and soon after killed.
        max_retries: Attempts that may follow the first one if it fails.
    """

    timeout_seconds: float = 600.0
    max_retries: int = 3


class Reporter(Protocol):
    """Where an agent's progress and log lines go; called from whatever thread the agent uses."""

    def progress(self, percent: float, message: str) -> None:
        """Take the newest progress, 0 to 100."""

    def log(self, type: str, message: str, data: dict[str, Any], level: str) -> None:
        """Take one line of the session's log."""


class _Dropped:
    """The reporter of an agent that was never bound, as in its author's unit tests."""

    def progress(self, percent: float, message: str) -> None:
        return

    def log(self, type: str, message: str, data: dict[str, Any], level: str) -> None:
        return


class BaseAgent(ABC):
    """One run of one kind of agent: subclasses set `kind` and write `execute_impl`.

    An object executes one attempt. Without `bind` it works all the same and what it reports is
    dropped, so an author's test is `Reporter().execute({"pages": []})`.
    """

    kind: ClassVar[str] = ""
    """What an agent's `kind` names: letters a-z, digits, `-` and `_`; unique."""

    config_schema: ClassVar[type[Schema] | None] = None
    """Checked against an agent's config when the agent is created or changed."""

    _stop_flag: Event
    _busy: Lock

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Prepare the object here, so that a subclass's `__init__` need not call ours."""
        agent = super().__new__(cls)
        agent._stop_flag = Event()
        agent._busy = Lock()
        agent.bind()
        return agent

    def bind(
        self,
        *,
        session_id: str = "unbound",
        attempt: int = 1,
        idempotency_key: str | None = None,
        options: ExecutionOptions | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """Tie this object to the attempt it runs.

        Args:
            attempt: Counted from 1.
            idempotency_key: The same for every attempt of a session; None takes the session's id.
            options: None stands for the defaults.
            reporter: None drops what the agent reports.
        """
        self._session_id = session_id
        self._attempt = attempt
        self._idempotency_key = idempotency_key or session_id
        self._options = options or ExecutionOptions()
        self._reporter: Reporter = reporter or _Dropped()

    @property
    def session_id(self) -> str:
        """The session this run belongs to."""
        return self._session_id

    @property
    def attempt(self) -> int:
        """Which attempt of the session this is, counted from 1."""
        return self._attempt

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of one session: hand it to services that can deduplicate."""
        return self._idempotency_key

    @property
    def options(self) -> ExecutionOptions:
        """The limits this run has."""
        return self._options

    @property
    def is_running(self) -> bool:
        """Whether `execute` is at work."""
        return self._busy.locked()

    @property
    def should_stop(self) -> bool:
        """Whether someone asked for a stop, or the time is up: finish soon."""
        return self._stop_flag.is_set()

    def execute(self, config: dict[str, Any]) -> Any:
        """Run the agent once.

        Args:
            config: The agent's config overlaid with the session's input.

        Returns:
            What `execute_impl` returned.

        Raises:
            ResultNotSerialisable: JSON cannot hold what it returned.
            RuntimeError: This object is running already.
        """
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(f"This {type(self).__name__} is running already.")
        try:
            result = self.execute_impl(config)
            require_serialisable(result)
            return result
        finally:
            self._busy.release()

    @abstractmethod
    def execute_impl(self, config: dict[str, Any]) -> Any:
        """Do the work; what subclasses write.

        Args:
            config: The agent's config overlaid with the session's input.

        Returns:
            Anything JSON can hold; it becomes the session's `result`.

        Raises:
            NonRetryableError: To end the session at once; any other exception is retried.
        """

    def stop(self) -> None:
        """Ask the agent to finish soon: sets `should_stop`. Any thread may call it, repeatedly."""
        self._stop_flag.set()

    def report_progress(self, percent: float, message: str = "") -> None:
        """Tell how far the agent is.

        Args:
            percent: Held to 0 … 100.
            message: What it is doing, in a few words.

        Raises:
            ValueError: `percent` is not a number.
        """
        if math.isnan(percent):
            raise ValueError("Progress must be a number from 0 to 100, not NaN.")
        self._reporter.progress(min(100.0, max(0.0, float(percent))), storable_text(message))

    def log_event(
        self,
        type: str,
        message: str,
        data: dict[str, Any] | None = None,
        level: str = "info",
    ) -> None:
        """Add a line to the session's log.

        Args:
            type: A short word to filter by, such as `page`.
            message: One sentence.
            data: Facts that belong to it; what JSON cannot hold is kept as text.
            level: `info`, `warning` or `error`.

        Raises:
            ValueError: The level is none of these.
        """
        if level not in LEVELS:
            raise ValueError(f"A log level is one of {', '.join(LEVELS)}, not {level!r}.")
        facts = {storable_text(key): storable(value) for key, value in (data or {}).items()}
        self._reporter.log(storable_text(type), storable_text(message), facts, level)
