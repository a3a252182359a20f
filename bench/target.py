"""What a figure should be: at most, or at least, so much, or so many times a peer's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a median, or for its ratio to the median of a peer in the same run."""

    bound: float
    is_floor: bool
    peer: str | None

    def holds(self, value: float) -> bool:
        """Whether a figure, or a ratio, is on the right side."""
        return value >= self.bound if self.is_floor else value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.is_floor else "≤"
        return f"{sign} {self.bound:g}" + (f" × {self.peer}" if self.peer else "")


def at_most(bound: float, peer: str | None = None) -> Target:
    """The median, or its ratio to a peer's, must not be above this."""
    return Target(bound, is_floor=False, peer=peer)


def at_least(bound: float, peer: str | None = None) -> Target:
    """The median, or its ratio to a peer's, must not be below this."""
    return Target(bound, is_floor=True, peer=peer)
