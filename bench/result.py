"""What one question of the benchmark is answered with, and how a time is taken."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table."""

    question: str
    case: str  # what it was measured on, such as "sqlite, 1,000 due"
    unit: str  # "/s" where more is better, else less is
    samples: Sequence[float]
    targets: Sequence[Target] = ()
    peers: Mapping[str, float] = field(default_factory=dict)  # name → its median in the same run

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return median(self.samples)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times each peer's median this one is."""
        return {name: self.median / other for name, other in self.peers.items()}

    @property
    def misses(self) -> list[Target]:
        """The targets that do not hold."""
        return [each for each in self.targets if not each.holds(self._value_for(each))]

    @property
    def losses(self) -> list[str]:
        """The peers that did better."""
        is_more_better = self.unit.endswith("/s")
        return [
            name
            for name, ratio in self.ratios.items()
            if ratio != 1 and (ratio > 1) is not is_more_better
        ]

    def as_json(self) -> dict[str, object]:
        """Everything of it, for the file of results."""
        return {
            "question": self.question,
            "case": self.case,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "targets": {str(each): each not in self.misses for each in self.targets},
            "ratios": self.ratios,
            "losses": self.losses,
            "samples": list(self.samples),
        }

    def _value_for(self, target: Target) -> float:
        return self.median if target.peer is None else self.ratios[target.peer]


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


def p99(samples: Sequence[float]) -> float:
    """The least value that 99 of 100 samples don't exceed."""
    return sorted(samples)[-(-99 * len(samples) // 100) - 1]
