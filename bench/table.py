"""Shows results as a Markdown table."""

from collections.abc import Iterator, Mapping, Sequence

from bench.result import Result

COLUMNS = ("question", "case", "unit", "median", "min", "max", "ratio", "target", "holds")


def table(results: Sequence[Result]) -> str:
    """One line a result, with its targets and whether they hold."""
    rows = [COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def shortfalls(results: Sequence[Result]) -> str:
    """One line for each target that does not hold and each peer that did better."""
    lines = [line for result in results for line in _shortfalls(result)]
    return "\n".join(["Where NeonHub falls short:", *lines]) if lines else "Every target holds."


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
    yield ", ".join(f"{_number(ratio)} × {name}" for name, ratio in result.ratios.items())
    yield ", ".join(str(target) for target in result.targets)
    yield ", ".join("no" if each in result.misses else "yes" for each in result.targets)


def _shortfalls(result: Result) -> Iterator[str]:
    where = f"- {result.question}, {result.case}: {_number(result.median)} {result.unit}"
    for target in result.misses:
        yield f"{where}, and the target is {target}."
    for name in result.losses:
        yield f"{where} is {_number(result.ratios[name])} times what {name} does."


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
