"""What goes wrong with agents and the classes that run them."""

from collections.abc import Iterable

from neonhub.errors import InvalidInput, NeonHubError


class NonRetryableError(NeonHubError):
    """Trying again would not help.

    An agent raises it to end its session at once, whatever retries are left.
    """


class ResultNotSerialisable(NonRetryableError):
    """The agent returned something that JSON cannot hold."""


class ResultTooLarge(NonRetryableError):
    """The agent returned more than is kept."""


class UnknownKind(InvalidInput):
    """No agent class has this kind."""

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        listed = ", ".join(sorted(known))
        super().__init__({"kind": [f"No agent class has the kind '{kind}'; there are: {listed}."]})
