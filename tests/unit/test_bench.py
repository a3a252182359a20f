"""The benchmark's table says what its samples say."""

from datetime import timedelta

from bench.result import Result, repeat_ms
from bench.schedules import spread
from bench.table import table
from tests.factories import NOW


def result(*samples: float, limit: float | None = None, reference: float | None = None) -> Result:
    return Result(
        question="looking",
        case="sqlite",
        unit="ms",
        samples=samples,
        limit=limit,
        reference=reference,
    )


def cells(result: Result) -> list[str]:
    return [cell.strip() for cell in table([result]).splitlines()[-1].strip("|").split("|")]


def test_a_row_has_the_median_the_extremes_and_the_ratio() -> None:
    row = cells(result(30, 10, 20, reference=40))
    assert row == ["looking", "sqlite", "ms", "20", "10", "30", "", "0.50"]


def test_a_median_above_its_limit_is_marked() -> None:
    assert cells(result(51, limit=50))[6] == "50 over"
    assert cells(result(50, 99, 1, limit=50))[6] == "50"


def test_the_warm_up_does_not_count() -> None:
    calls: list[str] = []
    samples = repeat_ms(lambda: calls.append("work"), runs=2, before=lambda: calls.append("before"))
    assert len(samples) == 2
    assert calls == ["before", "work"] * 3


def test_schedules_are_spread_over_a_day_but_for_those_that_are_due() -> None:
    instants = spread(10, due=3)
    assert len(instants) == 10
    assert sum(at <= NOW for at in instants) == 3
    assert max(instants) < NOW + timedelta(days=1)
