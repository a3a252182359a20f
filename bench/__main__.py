"""Asks questions, prints a table and keeps the samples: `python -m bench [--quick] [NAME …]`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    redis_bytes,
    requests_while_firing,
    sessions,
    ticks,
)
from bench.machine import describe
from bench.result import Result
from bench.services import Services, start_services, versions
from bench.table import machine_list, shortfalls, table
from neonhub.clock import utcnow

RESULTS = Path(__file__).parent / "results"
RUNS, QUICK_RUNS = 9, 5


Question = Callable[[Services], list[Result]]


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    known = sorted(_questions(quick=True))
    parser.add_argument("name", nargs="*", help=f"the questions asked: {', '.join(known)}; or all")
    arguments = parser.parse_args()
    if unknown := set(arguments.name) - set(known):
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    questions = _questions(arguments.quick)
    asked = {name: questions[name] for name in arguments.name or questions}
    with start_services() as services:
        machine = describe(*versions(services))
        results = list(_ask(asked, services))
    print(f"\n{table(results)}\n\n{shortfalls(results)}\n\n{machine_list(machine)}")
    print(f"\nEvery sample: {_write(results, machine, arguments.quick)}")


def _questions(quick: bool) -> dict[str, Question]:
    runs = QUICK_RUNS if quick else RUNS
    return {
        "ticks": partial(ticks.measure, runs=runs),
        "check_loop": partial(check_loop.measure, runs=runs),
        "due_selection": partial(
            due_selection.measure, runs=runs, schedules=10_000 if quick else 100_000
        ),
        "firing": partial(firing.measure, runs=QUICK_RUNS, share=0.1 if quick else 1),
        "growth": partial(growth.measure, runs=runs, sizes=growth.SIZES[: 1 if quick else None]),
        "live_events": partial(live_events.measure, runs=runs, many=1000 if quick else 5000),
        "requests_while_firing": partial(requests_while_firing.measure, runs=2 if quick else RUNS),
        "idle_system": partial(
            idle_system.measure, runs=2 if quick else RUNS, seconds=10 if quick else 40
        ),
        "redis_bytes": partial(redis_bytes.measure, runs=runs),
        "firing_lag": partial(firing_lag.measure, firings=4 if quick else 40),
        "history": partial(history.measure, runs=QUICK_RUNS, many=50_000 if quick else 10_000_000),
        "sessions": partial(
            sessions.measure, runs=2 if quick else QUICK_RUNS, share=0.2 if quick else 1
        ),
    }


def _ask(questions: Mapping[str, Question], services: Services) -> Iterator[Result]:
    for number, (name, question) in enumerate(questions.items(), 1):
        print(f"Question {number} of {len(questions)}, {name} …", file=sys.stderr, flush=True)
        yield from question(services)


def _write(results: Sequence[Result], machine: Mapping[str, str], quick: bool) -> Path:
    RESULTS.mkdir(exist_ok=True)
    now = utcnow()
    path = RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    kept = {"at": now.isoformat(), "quick": quick, "machine": machine}
    rows = [result.as_json() for result in results]
    path.write_text(json.dumps(kept | {"results": rows}, indent=2) + "\n")
    plot.draw(path, path.with_suffix(".svg"))
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
