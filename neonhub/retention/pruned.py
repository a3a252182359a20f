"""How much was removed."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pruned:
    """Numbers of rows that were removed, or would be."""

    sessions: int = 0
    attempts: int = 0
    log_lines: int = 0
    events: int = 0  # that belong to no session
    keys: int = 0
    agent_id: str | None = None  # whose sessions; None: nobody's, or several agents'

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(
            self.sessions + other.sessions,
            self.attempts + other.attempts,
            self.log_lines + other.log_lines,
            self.events + other.events,
            self.keys + other.keys,
        )

    def __bool__(self) -> bool:
        """Whether it is anything at all."""
        return any((self.sessions, self.attempts, self.log_lines, self.events, self.keys))


def total(batches: Iterable[Pruned]) -> Pruned:
    """All of them together."""
    return sum(batches, start=Pruned())
