"""Shows results as a Markdown table."""

from collections.abc import Iterator, Mapping, Sequence

from bench.result import Result

COLUMNS = ("question", "case", "unit", "median", "min", "max", "limit", "ratio")


def table(results: Sequence[Result]) -> str:
    """One line a result; a median above its limit is marked `over`."""
    rows = [COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def machine_list(machine: Mapping[str, str]) -> str:
    """One line that names the machine and the versions."""
    return ", ".join(f"{name} {text}" for name, text in machine.items())


def _cells(result: Result) -> tuple[str, ...]:
    return tuple(_texts(result))


def _texts(result: Result) -> Iterator[str]:
    yield from (result.question, result.case, result.unit)
    yield _number(result.median)
    yield _number(min(result.samples))
    yield _number(max(result.samples))
    yield _limit(result)
    yield "" if result.ratio is None else f"{result.ratio:.2f}"


def _limit(result: Result) -> str:
    if result.limit is None:
        return ""
    return f"{result.limit:g}" if result.is_within else f"{result.limit:g} over"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
