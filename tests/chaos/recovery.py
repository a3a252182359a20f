"""How soon the system is whole again, with the settings it comes with.

`python -m tests.chaos.recovery` prints, and with `--out` keeps, per fault the seconds from its end
until all work had ended, new work of 1.5 s included.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.chaos.cells import Cell, cells
from tests.chaos.harness import DEFAULTS, Harness
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.chaos.trial import try_cell

OUTAGE_SECONDS = 60


def main() -> None:
    """Run as the command line says; exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.recovery")
    parser.add_argument("--runs", type=int, default=3, help="of each fault")
    parser.add_argument("--out", type=Path, help="keeps the figures as JSON")
    options = parser.parse_args()
    figures = [
        *_measure(options.runs, _kills(), is_proxied=False),
        *_measure(options.runs, _outages(), is_proxied=True),
    ]
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(1 if any(each["violations"] for each in figures) else 0)


def _measure(runs: int, cells: list[Cell], *, is_proxied: bool) -> list[dict[str, Any]]:
    figures = []
    with Harness(is_proxied=is_proxied, settings=DEFAULTS) as harness:
        for cell in cells:
            trials = [try_cell(harness, cell, seed) for seed in range(runs)]
            seconds = [each.seconds for each in trials if each.seconds is not None]
            figure = {
                "fault": cell.name,
                "seconds": {"median": median(seconds), "most": max(seconds)} if seconds else None,
                "violations": [line for each in trials for line in each.violations],
            }
            print(json.dumps(figure), flush=True)
            figures.append(figure)
    return figures


def _kills() -> list[Cell]:
    def kill(component: str) -> Cell:
        def inject(harness: Harness, load: Load) -> None:
            harness.kill(component)

        return Cell(f"kill-{component}", "running", inject)

    def kill_busy(harness: Harness, load: Load) -> None:
        harness.kill_busy_pool()

    def flush(harness: Harness, load: Load) -> None:
        with harness.redis() as redis:
            redis.flushall()

    return [
        next(cell for cell in cells(is_proxied=False) if cell.name == "kill-agent-running"),
        Cell("kill-busy-pool", "running", kill_busy),
        *map(kill, ("scheduler", "web", "server", "app")),
        Cell("redis-emptied", "running", flush),
    ]


def _outages() -> list[Cell]:
    def be_without(proxy: Proxy | None) -> None:
        assert proxy is not None
        proxy.inject("away", OUTAGE_SECONDS)
        time.sleep(OUTAGE_SECONDS)

    def without_redis(harness: Harness, load: Load) -> None:
        be_without(harness.redis_proxy)

    def without_database(harness: Harness, load: Load) -> None:
        be_without(harness.database_proxy)

    return [
        Cell("redis-60-s-away", "running", without_redis),
        Cell("database-60-s-away", "running", without_database),
    ]


if __name__ == "__main__":
    main()
