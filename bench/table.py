"""Shows results as a Markdown table; those of kept runs by `python -m bench.table FILE.json …`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.result import Result

COLUMNS = ("question", "case", "unit", "median", "min", "max", "ratio", "target", "holds")

Row = Mapping[str, Any]
"""A result as the file of results keeps it."""


def table(results: Sequence[Result]) -> str:
    """One line a result, with its targets and whether they hold."""
    return table_of([result.as_json() for result in results])


def shortfalls(results: Sequence[Result]) -> str:
    """One line for each target that does not hold and each peer that did better."""
    return shortfalls_of([result.as_json() for result in results])


def table_of(kept: Sequence[Row]) -> str:
    """The same of kept results."""
    rows = [COLUMNS, *(tuple(_texts(row)) for row in kept)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def shortfalls_of(kept: Sequence[Row]) -> str:
    """The same of kept results."""
    lines = [line for row in kept for line in _shortfalls(row)]
    return "\n".join(["Where NeonHub falls short:", *lines]) if lines else "Every target holds."


def machine_list(machine: Mapping[str, str]) -> str:
    """One line that names the machine and the versions."""
    return ", ".join(f"{name} {text}" for name, text in machine.items())


def _texts(row: Row) -> Iterator[str]:
    yield from (row["question"], row["case"], row["unit"])
    yield from (_number(row[name]) for name in ("median", "min", "max"))
    yield ", ".join(f"{_number(ratio)} × {name}" for name, ratio in row["ratios"].items())
    yield ", ".join(row["targets"])
    yield ", ".join("yes" if holds else "no" for holds in row["targets"].values())


def _shortfalls(row: Row) -> Iterator[str]:
    where = f"- {row['question']}, {row['case']}: {_number(row['median'])} {row['unit']}"
    for target, holds in row["targets"].items():
        if not holds:
            yield f"{where}, and the target is {target}."
    for name in row["losses"]:
        yield f"{where} is {_number(row['ratios'][name])} times what {name} does."


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


if __name__ == "__main__":
    rows = [row for name in sys.argv[1:] for row in json.loads(Path(name).read_text())["results"]]
    print(f"{table_of(rows)}\n\n{shortfalls_of(rows)}")
