"""Many short sessions while something is killed all the time: `python -m tests.chaos.statistics`.

Prints, and with `--out` keeps, how many sessions were lost, how often agents were started more than
once, and why.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select

from neonhub.database import Database
from neonhub.models import AgentSession, Attempt
from tests.chaos.capture import Capture
from tests.chaos.harness import Harness
from tests.chaos.judge import unended, violations
from tests.chaos.load import Load
from tests.waiting import wait_until

TARGETS = {"agent": 9, "guard": 4, "pool": 4, "scheduler": 2, "web-worker": 1}
"""What is killed, and how often of twenty times."""

ENDING_SECONDS = 120
WAVE = 500
"""Sessions of one ground truth: agents read all of it."""


def main() -> None:
    """Run as the command line says; exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.statistics")
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="keeps the figures as JSON")
    options = parser.parse_args()
    figures = measure(options.sessions, options.every, options.seed)
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(1 if figures["violations"] else 0)


def measure(sessions: int, every: float, seed: int) -> dict[str, Any]:
    """Run so many sessions under kills, and judge what became of them."""
    with Harness(is_proxied=False) as harness, Capture(harness.system.url) as capture:
        began = time.monotonic()
        with _killing(harness, every, random.Random(seed)) as killed:
            loads = [
                _run(harness, f"wave-{start}", min(WAVE, sessions - start))
                for start in range(0, sessions, WAVE)
            ]
        seconds = time.monotonic() - began
        for load in loads:
            _wait_for_all(harness, load)
        found = [each for load in loads for each in violations(harness.database, load, capture)]
        figures = {"sessions": sessions, "seconds": round(seconds, 1), "kills": killed}
        return figures | _starts(harness.database, loads) | {"violations": found}


@contextmanager
def _killing(harness: Harness, every: float, chance: random.Random) -> Iterator[Counter[str]]:
    """Kill something all the time; yields what was killed how often."""
    killed: Counter[str] = Counter()
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.wait(every):
            (target,) = chance.choices(list(TARGETS), list(TARGETS.values()))
            if found := harness.find_all(target):
                with suppress(psutil.NoSuchProcess):
                    chance.choice(found).kill()
                    killed[target] += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        is_over.set()
        killer.join()


def _run(harness: Harness, name: str, sessions: int) -> Load:
    """Ask for so many sessions, and wait until nearly all have ended."""
    load = Load(harness.system, name, harness.folder / f"truth-{name}")
    load.truth.touch()
    load.add_agent("short", seconds=0.02)
    for _ in range(sessions):
        load.run("short")
    wait_until(lambda: len(unended(harness.database, load)) < 5, seconds=3600)
    return load


def _wait_for_all(harness: Harness, load: Load) -> None:
    wait_until(lambda: not unended(harness.database, load), seconds=ENDING_SECONDS)


def _starts(database: Database, loads: list[Load]) -> dict[str, Any]:
    """How sessions ended, how many agents began, and what ended the attempts that were not last."""
    lines = [line for load in loads for line in load.truth.read_text().splitlines()]
    starts = Counter(line.split()[1] for line in lines if line.endswith(" start"))
    with database.read() as db:
        ends = Counter(db.scalars(select(AgentSession.status)))
        attempts = db.execute(
            select(Attempt.session_id, Attempt.number, Attempt.outcome).order_by(
                Attempt.session_id, Attempt.number
            )
        ).all()
    last = {session_id: number for session_id, number, _ in attempts}
    why = Counter(str(each.outcome) for each in attempts if last[each.session_id] != each.number)
    return {
        "ends": dict(ends),
        "lost": sum(len(load.acknowledged) for load in loads) - sum(ends.values()),
        "started_more_than_once": sum(count > 1 for count in starts.values()),
        "attempts_before_the_last": dict(why),
    }


if __name__ == "__main__":
    main()
