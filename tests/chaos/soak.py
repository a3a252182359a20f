"""Hours of work with a fault every two minutes: `python -m tests.chaos.soak`.

After each fault everything is judged, and what the system holds is counted while it is quiet.
Prints, and with `--out` keeps, the samples and how they grew.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.cells import Cell, cells
from tests.chaos.harness import Harness
from tests.chaos.samples import Sample, grown, take_sample
from tests.chaos.trial import try_cell

MOST_GROWTH = 0.25
"""Of the first third of the samples, in the last third; noise stays below it."""

WARM_UP_SECONDS = 1200
"""RQ forgets what a killed worker left within that time; then as much goes as comes."""


def main() -> None:
    """Run as the command line says; exit with 1 if a promise was broken or something grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--every", type=float, default=120, help="seconds from fault to fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="keeps the figures as JSON")
    options = parser.parse_args()
    figures = soak(options.hours, options.every, options.seed)
    print(json.dumps({name: figures[name] for name in figures if name != "samples"}, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(1 if figures["violations"] or figures["grew"] else 0)


def soak(hours: float, every: float, seed: int) -> dict[str, Any]:
    """Let the system work for so long, and see what it broke and how it grew."""
    faults: Counter[str] = Counter()
    broken: list[str] = []
    samples: list[Sample] = []
    with Harness(is_proxied=False) as harness:
        began = time.monotonic()
        for number, cell in enumerate(_shuffled(random.Random(seed))):
            if time.monotonic() - began > hours * 3600:
                break
            trial = try_cell(harness, cell, number, afterwards=every)
            faults[cell.name] += 1
            broken += [f"{cell.name}: {line}" for line in trial.violations]
            samples.append(take_sample(harness, time.monotonic() - began))
            print(json.dumps({"fault": cell.name, **asdict(samples[-1])}), flush=True)
        seconds = time.monotonic() - began
    warm = [sample for sample in samples if sample.seconds > min(WARM_UP_SECONDS, seconds / 3)]
    growth = grown(warm)
    return {
        "seconds": round(seconds),
        "faults": sum(faults.values()),
        "kinds of fault": len(faults),
        "violations": broken,
        "growth": growth,
        "grew": [name for name, each in growth.items() if each["thirds"] > 1 + MOST_GROWTH],
        "samples": [asdict(sample) for sample in samples],
    }


def _shuffled(chance: random.Random) -> Iterator[Cell]:
    """Every cell in some order, and again in another."""
    every = cells(is_proxied=False)
    while True:
        yield from chance.sample(every, len(every))


if __name__ == "__main__":
    main()
