"""One cell tried: work, a fault, recovery, judgement."""

import json
import os
import random
import time
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


def tried(harness: Harness, cell: Cell, seed: int) -> list[str]:
    """What a cell broke, by the invariant's number."""
    name = f"{cell.name.replace('.', '-').lower()}-{seed}"
    load = Load(harness.system, name[-50:].strip("-"), harness.folder / f"truth-{name}")
    harness.disarm()
    with Capture(harness.system.url) as capture:
        load.begin()
        wait_for_moment(harness, load, cell.moment, random.Random(f"{cell.name} {seed}"))
        cell.inject(harness, load)
        began = time.monotonic()
        time.sleep(AFTERWARDS_SECONDS)
        load.end()
        if left := _wait_for_the_end(harness, load):
            return [f"2: {line}" for line in left]
        _note_recovery(cell, seed, time.monotonic() - began)
        _wait_until_told(harness, load, capture)
    return violations(harness.database, load, capture)


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


def _note_recovery(cell: Cell, seed: int, seconds: float) -> None:
    """Keep the figure where the run wants it."""
    if path := os.environ.get("NEONHUB_CHAOS_RESULTS"):
        with Path(path).open("a") as results:
            line = {"cell": cell.name, "seed": seed, "seconds": round(seconds, 2)}
            results.write(json.dumps(line) + "\n")
