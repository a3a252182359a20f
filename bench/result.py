"""What one question of the benchmark is answered with, and how a time is taken."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table."""

    question: str
    case: str  # what it was measured on, such as "sqlite, 1,000 due"
    unit: str
    samples: Sequence[float]
    limit: float | None = None  # the median must not be above it
    reference: float | None = None  # the other side's median in the same run

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        """How many times the other side's median this one is."""
        return None if self.reference is None else self.median / self.reference

    @property
    def is_within(self) -> bool:
        """Whether the limit, if there is one, holds."""
        return self.limit is None or self.median <= self.limit

    def as_json(self) -> dict[str, object]:
        """Everything of it, for the file of results."""
        return {
            "question": self.question,
            "case": self.case,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "limit": self.limit,
            "ratio": self.ratio,
            "samples": list(self.samples),
        }


def timed_ms(work: Callable[[], object]) -> float:
    """How long one call takes, in milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def repeat_ms(
    work: Callable[[], object],
    *,
    runs: int,
    before: Callable[[], object] = lambda: None,
    warm_up: int = 1,
) -> list[float]:
    """Time a call again and again.

    Args:
        before: What is done before each call, untimed.
        warm_up: Calls at first that don't count.

    Returns:
        Milliseconds of each counted call.
    """
    samples = []
    for _ in range(warm_up + runs):
        before()
        samples.append(timed_ms(work))
    return samples[warm_up:]
