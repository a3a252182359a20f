"""Every error NeonHub raises on purpose; the first line of a docstring is its message."""

from collections.abc import Mapping, Sequence

FieldErrors = Mapping[str, Sequence[str]]
"""Field name as the client writes it (camelCase) → sentences about it."""


class NeonHubError(Exception):
    """Something went wrong in NeonHub."""

    status_code = 500
    """The HTTP status this error is answered with."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        """One sentence a person can act on."""
        return str(self.args[0])


class InvalidInput(NeonHubError):
    """A field is wrong."""

    status_code = 422

    def __init__(self, errors: FieldErrors, message: str | None = None) -> None:
        self.errors = {field: list(sentences) for field, sentences in errors.items()}
        first = next((f"{f}: {s[0]}" for f, s in self.errors.items() if s), "A field is wrong.")
        super().__init__(message or first)


class NotFound(NeonHubError):
    """No such thing."""

    status_code = 404


class AgentNotFound(NotFound):
    """No agent has this id."""


class ScheduleNotFound(NotFound):
    """No schedule has this id."""


class SessionNotFound(NotFound):
    """No session has this id."""


class Conflict(NeonHubError):
    """The present state does not allow this."""

    status_code = 409


class AgentExists(Conflict):
    """An agent with this id exists already."""


class SessionEnded(Conflict):
    """The session has ended already."""


class SessionNotRetryable(Conflict):
    """Only a session that is FAILED or STOPPED can be retried."""


class VersionMismatch(NeonHubError):
    """The If-Match version is not the current one."""

    status_code = 412


class QueueFull(NeonHubError):
    """As many sessions of the agent wait as are allowed; try again later."""

    status_code = 429


class DependencyAway(NeonHubError):
    """A dependency does not answer; try again shortly."""

    status_code = 503


class DatabaseAway(DependencyAway):
    """The database does not answer; try again shortly."""


class RedisAway(DependencyAway):
    """Redis does not answer; try again shortly."""


class ConfigError(NeonHubError):
    """A setting is wrong."""
