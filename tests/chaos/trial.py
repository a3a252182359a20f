"""One cell tried: work, a fault, recovery, judgement."""

import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.capture import Capture
from tests.chaos.cells import Cell, wait_for_moment
from tests.chaos.harness import Harness
from tests.chaos.judge import told_all, unended, violations
from tests.chaos.load import Load
from tests.waiting import wait_until

RECOVERY_SECONDS = 30
"""Everything has ended this long after the fault, or it never will: invariant 2."""

TELLING_SECONDS = 12
AFTERWARDS_SECONDS = 1.5
"""How long the schedules go on after the fault."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a cell."""

    violations: list[str]
    seconds: float | None
    """From the end of the fault until all work had ended; None: it never did."""


def try_cell(
    harness: Harness, cell: Cell, seed: int, *, afterwards: float = AFTERWARDS_SECONDS
) -> Trial:
    """Try one cell.

    Args:
        harness: The system that meets the fault.
        cell: The fault, and the moment it is injected at.
        seed: Of the instant within that moment.
        afterwards: Seconds that new work goes on to arrive after the fault.
    """
    name = f"{cell.name.replace('.', '-').lower()}-{seed}"
    load = Load(harness.system, name[-50:].strip("-"), harness.folder / f"truth-{name}")
    harness.disarm()
    with Capture(harness.system.url) as capture:
        load.begin()
        wait_for_moment(harness, load, cell.moment, random.Random(f"{cell.name} {seed}"))
        cell.inject(harness, load)
        began = time.monotonic()
        time.sleep(afterwards)
        load.end()
        left = _wait_for_the_end(harness, load)
        seconds = round(time.monotonic() - began, 2)
        if not left:
            _wait_until_told(harness, load, capture)
    if left:
        trial = Trial([f"2: {line}" for line in left], None)
    else:
        trial = Trial(violations(harness.database, load, capture), seconds)
    _keep(cell, seed, trial)
    return trial


def _wait_for_the_end(harness: Harness, load: Load) -> list[str]:
    try:
        wait_until(lambda: not unended(harness.database, load), seconds=RECOVERY_SECONDS)
    except AssertionError:
        return unended(harness.database, load)
    return []


def _wait_until_told(harness: Harness, load: Load, capture: Capture) -> None:
    try:
        wait_until(lambda: told_all(harness.database, load, capture), seconds=TELLING_SECONDS)
    except AssertionError:
        return  # the judge says what is missing


def _keep(cell: Cell, seed: int, trial: Trial) -> None:
    """Keep the figures where the run wants them."""
    if path := os.environ.get("NEONHUB_CHAOS_RESULTS"):
        with Path(path).open("a") as results:
            results.write(json.dumps({"cell": cell.name, "seed": seed, **asdict(trial)}) + "\n")
