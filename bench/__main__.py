"""Asks questions, prints and keeps each one's answer: `python -m bench [--quick] [NAME …]`."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import (
    check_loop,
    due_selection,
    firing,
    firing_lag,
    growth,
    history,
    idle_system,
    live_events,
    plot,
    pruning,
    redis_bytes,
    requests_while_firing,
    sessions,
    ticks,
)
from bench.machine import describe
from bench.result import Result
from bench.services import DATABASES, Services, start_services, versions
from bench.table import machine_list, shortfalls, table
from neonhub.clock import utcnow
from neonhub.process import be_punctual

RESULTS = Path(__file__).parent / "results"
RUNS, FEW_RUNS, QUICK_RUNS = 9, 5, 3
"""Of questions that take seconds each time, few; and in quick mode fewer still of the longest."""

Question = Callable[[Services], list[Result]]


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, on SQLite alone")
    known = sorted(_questions(quick=True))
    parser.add_argument("name", nargs="*", help=f"the questions asked: {', '.join(known)}; or all")
    arguments = parser.parse_args()
    if unknown := set(arguments.name) - set(known):
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    questions = _questions(arguments.quick)
    asked = {name: questions[name] for name in arguments.name or questions}
    be_punctual()  # as a scheduler is, whose part this process often takes
    with start_services(DATABASES[: 1 if arguments.quick else None]) as services:
        kept = _Kept(describe(*versions(services)), arguments.quick)
        print(machine_list(kept.machine))
        for number, (name, question) in enumerate(asked.items(), 1):
            print(f"\nQuestion {number} of {len(asked)}, {name} …", file=sys.stderr, flush=True)
            services.rest()
            kept.add(name, question(services))
    print(f"\n{shortfalls(kept.results)}\n\nEvery sample: {kept.shown_path}")


def _questions(quick: bool) -> dict[str, Question]:
    runs = FEW_RUNS if quick else RUNS
    return {
        "ticks": partial(ticks.measure, runs=runs),
        "check_loop": partial(check_loop.measure, runs=runs),
        "due_selection": partial(
            due_selection.measure, runs=runs, schedules=10_000 if quick else 100_000
        ),
        "firing": partial(
            firing.measure, runs=QUICK_RUNS if quick else FEW_RUNS, share=0.1 if quick else 1
        ),
        "growth": partial(growth.measure, runs=runs, sizes=growth.SIZES[: 1 if quick else None]),
        "live_events": partial(
            live_events.measure, runs=QUICK_RUNS if quick else RUNS, many=1000 if quick else 5000
        ),
        "requests_while_firing": partial(requests_while_firing.measure, runs=2 if quick else RUNS),
        "idle_system": partial(
            idle_system.measure, runs=2 if quick else RUNS, seconds=8 if quick else 40
        ),
        "redis_bytes": partial(redis_bytes.measure, runs=QUICK_RUNS if quick else RUNS),
        "firing_lag": partial(firing_lag.measure, firings=4 if quick else 40),
        "history": partial(history.measure, runs=FEW_RUNS, many=50_000 if quick else 10_000_000),
        "pruning": partial(pruning.measure, runs=FEW_RUNS, many=50_000 if quick else 1_000_000),
        "sessions": partial(
            sessions.measure, runs=2 if quick else FEW_RUNS, share=0.2 if quick else 1
        ),
    }


class _Kept:
    """What is known so far, printed and written question by question: a run may be cut short."""

    def __init__(self, machine: Mapping[str, str], quick: bool) -> None:
        self.machine = machine
        self.results: list[Result] = []
        self._quick = quick
        self._began = utcnow()
        self._seconds: dict[str, float] = {}
        self._asked_at = time.perf_counter()
        self._path = RESULTS / f"{self._began:%Y%m%dT%H%M%SZ}.json"

    @property
    def shown_path(self) -> Path:
        """The file, as a person in this folder would name it."""
        here = Path.cwd()
        return self._path.relative_to(here) if self._path.is_relative_to(here) else self._path

    def add(self, name: str, results: Sequence[Result]) -> None:
        """The answer to one question."""
        self._seconds[name] = time.perf_counter() - self._asked_at
        print(f"{table(results)}\n({name}: {self._seconds[name]:.0f} s)", flush=True)
        self.results += results
        self._write()
        self._asked_at = time.perf_counter()

    def _write(self) -> None:
        kept = {
            "at": self._began.isoformat(),
            "quick": self._quick,
            "machine": self.machine,
            "seconds": self._seconds,
            "results": [result.as_json() for result in self.results],
        }
        RESULTS.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(kept, indent=2) + "\n")
        plot.draw(self._path, self._path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
