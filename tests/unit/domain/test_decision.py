"""Which due ticks run, wait, are skipped or missed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neonhub.domain.decision import Decision, DueSchedule, decide
from neonhub.domain.occurrences import count_ticks
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, Overlap
from tests.examples import EXAMPLES
from tests.factories import NOW

MINUTELY = Recurrence(interval_seconds=60, anchor=NOW)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def due(**values: Any) -> DueSchedule:
    defaults: dict[str, Any] = {"recurrence": MINUTELY, "next_tick_at": NOW}
    return DueSchedule(**(defaults | values))


def told(decision: Decision) -> list[tuple[float, str, str | None, str | None, int | None]]:
    return [
        (
            (row.tick_at - NOW) / minutes(1),
            row.status,
            row.reason,
            row.hold_reason,
            row.missed_count,
        )
        for row in decision.rows
    ]


def test_a_tick_on_time_is_queued_and_the_next_follows_from_the_plan() -> None:
    decision = decide(due(), NOW + timedelta(seconds=0.3))
    assert told(decision) == [(0, "QUEUED", None, None, None)]
    assert decision.next_tick_at == NOW + minutes(1)


def test_a_tick_in_the_future_is_left_alone() -> None:
    decision = decide(due(), NOW - timedelta(seconds=1))
    assert (decision.rows, decision.next_tick_at) == ((), NOW)


@pytest.mark.parametrize(
    ("catch_up", "rows"),
    [
        ("LATEST", [(9, "MISSED", "catch_up", None, 10), (10, "QUEUED", None, None, None)]),
        ("NONE", [(9, "MISSED", "catch_up", None, 10), (10, "QUEUED", None, None, None)]),
        (
            "ALL",
            [(0, "QUEUED", None, None, None)]
            + [(n, "QUEUED", None, "catch_up", None) for n in range(1, 11)],
        ),
    ],
)
def test_ten_minutes_late(catch_up: str, rows: list[Any]) -> None:
    decision = decide(due(catch_up=CatchUp(catch_up)), NOW + minutes(10))
    assert told(decision) == rows
    assert decision.next_tick_at == NOW + minutes(11)


def test_without_catch_up_a_late_tick_is_missed() -> None:
    decision = decide(due(catch_up=CatchUp.NONE), NOW + timedelta(seconds=30))
    assert told(decision) == [(0, "MISSED", "catch_up", None, 1)]


def test_what_is_older_than_the_window_shares_one_row() -> None:
    late = due(catch_up_window_seconds=120)
    decision = decide(late, NOW + minutes(10))
    assert told(decision) == [
        (7, "MISSED", "catch_up_window", None, 8),
        (9, "MISSED", "catch_up", None, 2),
        (10, "QUEUED", None, None, None),
    ]
    assert decision.rows[0].missed_from == NOW


def test_catching_up_all_is_bounded_and_the_rest_stays_due() -> None:
    decision = decide(due(catch_up=CatchUp.ALL), NOW + minutes(50), max_rows=20)
    assert len(decision.rows) == 20
    assert decision.next_tick_at == NOW + minutes(20)


@pytest.mark.parametrize(
    ("overlap", "waiting", "row"),
    [
        ("SKIP", 0, (0, "SKIPPED", "overlap", None, None)),
        ("QUEUE_ONE", 0, (0, "QUEUED", None, "overlap", None)),
        ("QUEUE_ONE", 1, (0, "SKIPPED", "overlap", None, None)),
        ("ALLOW", 0, (0, "QUEUED", None, None, None)),
        ("REPLACE", 0, (0, "QUEUED", None, "overlap", None)),
    ],
)
def test_overlap(overlap: str, waiting: int, row: Any) -> None:
    decision = decide(due(overlap=Overlap(overlap), active=1 + waiting, waiting=waiting), NOW)
    assert told(decision) == [row]
    assert decision.replace is (overlap == "REPLACE")


def test_a_paused_schedule_skips_its_ticks_in_one_row() -> None:
    decision = decide(due(paused=True), NOW + minutes(3))
    assert told(decision) == [(3, "SKIPPED", "paused", None, 4)]
    assert decision.next_tick_at == NOW + minutes(4)


def test_a_person_may_skip_one_tick() -> None:
    decision = decide(due(skip_next=True), NOW)
    assert told(decision) == [(0, "SKIPPED", "skip_next", None, None)]
    assert decision.skip_next is False


def test_a_schedule_is_done_after_its_last_run() -> None:
    decision = decide(due(runs_left=1), NOW)
    assert len(decision.rows) == 1
    assert (decision.next_tick_at, decision.runs) == (None, 1)


def test_a_single_instant_is_done_after_it() -> None:
    once = due(recurrence=Recurrence(run_at=NOW))
    assert decide(once, NOW).next_tick_at is None


def test_jitter_moves_the_plan_not_the_tick() -> None:
    jitter = timedelta(seconds=17.25)
    jittered = due(jitter=jitter)
    assert decide(jittered, NOW + jitter / 2).rows == ()
    row = decide(jittered, NOW + jitter).rows[0]
    assert (row.tick_at, row.scheduled_for) == (NOW, NOW + jitter)


def test_a_year_of_seconds_is_decided_at_once() -> None:
    secondly = Recurrence(interval_seconds=1, anchor=NOW)
    decision = decide(due(recurrence=secondly), NOW + timedelta(days=365))
    assert sum(row.missed_count or 1 for row in decision.rows) == 31_536_001
    assert len(decision.rows) == 3


@settings(max_examples=EXAMPLES)
@given(
    late=st.integers(0, 7200),
    catch_up=st.sampled_from(CatchUp),
    overlap=st.sampled_from(Overlap),
    active=st.integers(0, 2),
    paused=st.booleans(),
    window=st.integers(0, 4000),
    jitter=st.integers(0, 59),
)
def test_every_due_tick_is_counted_exactly_once(
    late: int,
    catch_up: CatchUp,
    overlap: Overlap,
    active: int,
    paused: bool,
    window: int,
    jitter: int,
) -> None:
    schedule = due(
        catch_up=catch_up,
        overlap=overlap,
        active=active,
        paused=paused,
        catch_up_window_seconds=window,
        jitter=timedelta(seconds=jitter),
    )
    now = NOW + timedelta(seconds=late)
    decision = decide(schedule, now, max_rows=1000)
    horizon = now - timedelta(seconds=jitter) + timedelta(microseconds=1)
    expected = count_ticks(MINUTELY, NOW, horizon)
    assert sum(row.missed_count or 1 for row in decision.rows) == expected
    assert len({row.tick_at for row in decision.rows}) == len(decision.rows)
    assert decision.next_tick_at is not None and decision.next_tick_at >= horizon - timedelta(
        microseconds=1
    )
