"""The benchmark's table says what its samples say."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bench.result import Result, p99, repeat_ms
from bench.schedules import spread
from bench.socket_crowd import split_frames
from bench.table import shortfalls, table
from bench.target import Target, at_least, at_most
from tests.e2e.raw_socket import PING, TEXT, frame
from tests.factories import NOW


def result(
    *samples: float,
    unit: str = "ms",
    targets: Sequence[Target] = (),
    peers: Mapping[str, float] | None = None,
) -> Result:
    return Result(
        question="looking",
        case="sqlite",
        unit=unit,
        samples=samples,
        targets=targets,
        peers=peers or {},
    )


def cells(result: Result) -> list[str]:
    return [cell.strip() for cell in table([result]).splitlines()[-1].strip("|").split("|")]


def test_a_row_has_the_median_the_extremes_and_the_ratio() -> None:
    row = cells(result(30, 10, 20, peers={"other": 40}))
    assert row == ["looking", "sqlite", "ms", "20", "10", "30", "0.50 × other", "", ""]


def test_a_median_above_its_limit_is_marked() -> None:
    assert cells(result(51, targets=[at_most(50)]))[7:] == ["≤ 50", "no"]
    assert cells(result(50, 99, 1, targets=[at_most(50)]))[7:] == ["≤ 50", "yes"]


def test_a_target_may_be_a_multiple_of_a_peers_figure() -> None:
    targets = [at_least(8, "stock RQ"), at_least(1, "Celery")]
    row = cells(result(900, unit="/s", targets=targets, peers={"stock RQ": 100, "Celery": 1000}))
    assert row[7:] == ["≥ 8 × stock RQ, ≥ 1 × Celery", "yes, no"]


def test_what_is_missed_is_told() -> None:
    assert shortfalls([result(1, targets=[at_most(1)])]) == "Every target holds."
    told = shortfalls([result(2, targets=[at_most(1)])])
    assert told.splitlines()[1:] == ["- looking, sqlite: 2.00 ms, and the target is ≤ 1."]


def test_a_peer_that_does_better_is_told() -> None:
    slower = result(2, unit="/s", peers={"a": 4, "b": 1})
    taking_longer = result(2, unit="ms", peers={"a": 4, "b": 1})
    assert [slower.losses, taking_longer.losses] == [["a"], ["b"]]
    assert "0.50 times what a does" in shortfalls([slower])


def test_a_percentile_is_one_of_the_samples() -> None:
    assert p99(range(1, 101)) == 99
    assert p99([3, 1, 2]) == 3


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


def test_frames_are_split_and_the_half_one_is_kept() -> None:
    long = frame(b"x" * 300, is_masked=False)
    data = frame(b"", PING, is_masked=False) + long + long[:10]
    assert split_frames(data) == ([(PING, b""), (TEXT, b"x" * 300)], long[:10])
