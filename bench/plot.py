"""Draws what grows with the number of schedules: `python -m bench.plot FILE.json OUT.svg`."""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PANELS = {
    "firing 2,000 that are due": "Firing 2,000 due schedules",
    "a look with nothing due, p99": "A look with nothing due, p99",
    "due-selection, p99": "Due-selection, p99",
}
CASE = re.compile(r"(sqlite|postgres), ([\d,]+) schedules")
NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
COLOURS = {"sqlite": "#c2570c", "postgres": "#1d4ed8"}

WIDTH, HEIGHT = 280, 220  # of one panel's axes
LEFT, TOP, GAP, BOTTOM = 56, 64, 76, 56
FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True, slots=True)
class Point:
    """A median with its spread, at so many schedules."""

    schedules: int
    median: float
    low: float
    high: float


Lines = dict[str, list[Point]]
"""Database → its points, the smallest first."""


def points_of(results: Sequence[Mapping[str, Any]]) -> dict[str, Lines]:
    """The panels that the results of a run have points for."""
    panels: dict[str, Lines] = {}
    for each in results:
        found = CASE.fullmatch(each["case"])
        if found and each["question"] in PANELS:
            size = int(found[2].replace(",", ""))
            point = Point(size, each["median"], each["min"], each["max"])
            panels.setdefault(each["question"], {}).setdefault(found[1], []).append(point)
    return panels


def svg(panels: Mapping[str, Lines]) -> str:
    """The panels side by side."""
    width = LEFT + len(panels) * (WIDTH + GAP) - GAP + 24
    height = TOP + HEIGHT + BOTTOM
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' {FONT} font-size='12' fill='#1f2937'>",
        f"<rect width='{width}' height='{height}' rx='6' fill='#ffffff'/>",
    ]
    for number, (question, lines) in enumerate(panels.items()):
        x = LEFT + number * (WIDTH + GAP)
        parts += [f"<g transform='translate({x} {TOP})'>", *_panel(PANELS[question], lines), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, lines: Lines) -> Iterator[str]:
    sizes = sorted({point.schedules for points in lines.values() for point in points})
    top = _round_up(max(point.high for points in lines.values() for point in points))
    yield f"<text x='0' y='-40' font-size='14' font-weight='600'>{title}</text>"
    yield from _legend(lines)
    for step in range(5):
        y = HEIGHT - step * HEIGHT / 4
        yield f"<line x1='0' x2='{WIDTH}' y1='{y}' y2='{y}' stroke='#e5e7eb'/>"
        yield f"<text x='-8' y='{y + 4}' text-anchor='end'>{top * step / 4:g}</text>"
    yield f"<text x='-8' y='{-14}' text-anchor='end'>ms</text>"
    for size in sizes:
        x = _x(size, sizes)
        yield f"<text x='{x:.1f}' y='{HEIGHT + 20}' text-anchor='middle'>{size:,}</text>"
    yield f"<text x='{WIDTH / 2}' y='{HEIGHT + 42}' text-anchor='middle'>schedules in all</text>"
    for name, points in lines.items():
        yield from _line(COLOURS[name], points, sizes, top)


def _legend(lines: Lines) -> Iterator[str]:
    for number, name in enumerate(lines):
        x = number * 84
        yield f"<circle cx='{x + 5}' cy='-20' r='4' fill='{COLOURS[name]}'/>"
        yield f"<text x='{x + 14}' y='-16'>{NAMES[name]}</text>"


def _line(colour: str, points: list[Point], sizes: list[int], top: float) -> Iterator[str]:
    """The medians joined; a bar from the least to the most of each."""
    places = [(_x(each.schedules, sizes), _y(each.median, top)) for each in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
    for point, (x, y) in zip(points, places, strict=True):
        low, high = _y(point.low, top), _y(point.high, top)
        yield f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{low:.1f}' y2='{high:.1f}' stroke='{colour}'/>"
        yield f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{colour}'/>"


def _x(size: int, sizes: list[int]) -> float:
    """Logarithmic, with a margin at both ends."""
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    share = (math.log10(size) - first) / (last - first) if last > first else 0.5
    return 30 + share * (WIDTH - 60)


def _y(value: float, top: float) -> float:
    return HEIGHT - HEIGHT * value / top


def _round_up(value: float) -> float:
    """To the next 1, 2, 4 or 8 of its power of ten."""
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def draw(results: Path, drawing: Path) -> None:
    """Draw the growth that a file of results has, if any."""
    panels = points_of(json.loads(results.read_text())["results"])
    if panels:
        drawing.write_text(svg(panels))


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
