"""What docs/time.md says of ticks is so: its examples and tables are run against the code."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from marshmallow import ValidationError

from neonhub.api.schemas.base import to_text
from neonhub.api.schemas.schedule_times import PreviewBody
from neonhub.api.schemas.schedules import NamedScheduleBody, ScheduleChanges
from neonhub.database import Database
from neonhub.domain.cron import parse_cron
from neonhub.domain.decision import LIVE_SECONDS, Decision, DueSchedule, decide
from neonhub.domain.jitter import jitter_for
from neonhub.domain.occurrences import next_tick, ticks_between
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, HoldReason, Overlap, SessionStatus
from neonhub.domain.validation import DEFAULT_CATCH_UP_WINDOW_SECONDS, ScheduleFields
from neonhub.domain.window import refuse_empty_window
from neonhub.errors import InvalidInput
from neonhub.models import Schedule
from neonhub.scheduling.agent_scheduler import MAX_WAIT_SECONDS
from neonhub.scheduling.planning import anchor_of, plan
from neonhub.scheduling.preview import Occurrence, preview
from neonhub.scheduling.schedule_body import apply, check_body, fields_of_schedule, merged
from tests.documents import ROOT, blocks, cells, code_words, read

TIME = ROOT / "docs" / "time.md"
DAY = datetime(2026, 3, 2, tzinfo=UTC)
"""The day of the times that the tables name."""

EVERY_TEN = {"interval": "every 10 minutes"}
TEN_MINUTES = timedelta(minutes=10)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Example:
    """A body for a preview, and the rows of the table that says what it answers."""

    text: str
    said: list[list[str]]


def examples() -> list[Example]:
    found = re.findall(
        r"^```json\n(.*?)^```\n\n((?:\|[^\n]*\n)+)", read(TIME), re.DOTALL | re.MULTILINE
    )
    return [Example(text, cells(rows.splitlines())[2:]) for text, rows in found]


def section(heading: str) -> str:
    [found] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", read(TIME), re.DOTALL | re.MULTILINE)
    return str(found)


def prose(heading: str) -> str:
    """The text below a heading, on one line."""
    return " ".join(section(heading).split())


def grid(heading: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the one table below a heading."""
    rows = cells([line for line in section(heading).splitlines() if line.startswith("|")])
    return rows[0], rows[2:]


def rows_of(heading: str) -> list[list[str]]:
    return grid(heading)[1]


def code(cell: str) -> str:
    """What a cell sets in backticks first."""
    return cell.split("`")[1]


def at(clock: str) -> datetime:
    hour, minute = clock.split(":")
    return DAY.replace(hour=int(hour), minute=int(minute))


def each_row(heading: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows_of(heading), ids=lambda row: row[0])


@pytest.fixture(scope="module")
def empty(sqlite_template: Path) -> Iterator[Database]:
    """A database without schedules; a preview asks it for those due at the same time."""
    database = Database(f"sqlite:///{sqlite_template}")
    yield database
    database.close()


# ---- ticks ----


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.text)
def test_a_preview_answers_what_the_table_below_it_says(example: Example, empty: Database) -> None:
    body = PreviewBody().load(json.loads(example.text))
    since, count, _ = body.pop("since"), body.pop("count"), body.pop("agent_id")
    seen = preview(empty, body, now=since, since=since, count=count)
    width = len(example.said[0])
    assert [written(occurrence)[:width] for occurrence in seen.occurrences] == example.said
    assert width == 3 or not any(occurrence.note for occurrence in seen.occurrences)


def written(occurrence: Occurrence) -> list[str]:
    local = occurrence.local
    seconds = f":{local:%S}" if local.second else ""
    wall = f"{local:%a %Y-%m-%d %H:%M}{seconds} {local.isoformat()[-6:]}"
    return [wall, f"`{to_text(occurrence.at)}`", occurrence.note or ""]


def test_every_json_block_is_an_example() -> None:
    assert [block.text for block in blocks(TIME, "json")] == [each.text for each in examples()]


@each_row("Fixed times and the running clock")
def test_an_expression_is_of_the_kind_it_is_said_to_be(row: list[str]) -> None:
    kinds = {"fixed": False, "follows the clock": True}
    assert parse_cron(code(row[0])).follows_clock is kinds[row[1]]


@each_row("Jitter")
def test_the_jitter_of_an_id_is_as_it_is_said(row: list[str]) -> None:
    assert f"{jitter_for(code(row[0]), int(row[1])).total_seconds():g} s" == row[2]


def test_a_tick_that_jitter_would_carry_past_the_end_is_none() -> None:
    window = Recurrence(interval_seconds=600, anchor=at("12:10"), end_at=at("12:31"))
    ticks = ticks_between(window.jittered(timedelta(seconds=300)), at("12:00"), at("13:00"))
    assert list(ticks) == [at("12:10"), at("12:20")]


# ---- decisions ----


def due(**values: Any) -> DueSchedule:
    """A schedule every ten minutes, with its tick of 12:10 due next."""
    every_ten = Recurrence(interval_seconds=600, anchor=at("12:10"))
    defaults: dict[str, Any] = {"recurrence": every_ten, "next_tick_at": at("12:10")}
    return DueSchedule(**(defaults | values))


def outcome(decision: Decision, tick: datetime) -> str:
    """What became of a tick, in the document's words."""
    for row in decision.rows:
        if (row.missed_from or row.tick_at) <= tick <= row.tick_at:
            if row.status is not SessionStatus.QUEUED:
                return f"`{row.status}`, `{row.reason}`"
            if decision.replace:
                return "replaces"
            return "waits" if row.hold_reason is HoldReason.OVERLAP else "runs"
    return "not due"


def ticks_of(column: str) -> list[datetime]:
    """The ticks of `12:10` or `12:10 to 12:30`."""
    first, *last = [at(clock) for clock in column.split(" to ")]
    count = (last[0] - first) // TEN_MINUTES if last else 0
    return [first + number * TEN_MINUTES for number in range(count + 1)]


def outcomes(decision: Decision, columns: list[str]) -> list[str]:
    """What became of the ticks of each column, which must all have come to the same."""
    found = [{outcome(decision, tick) for tick in ticks_of(column)} for column in columns]
    assert all(len(each) == 1 for each in found)
    return [each.pop() for each in found]


def checked(body: Mapping[str, Any]) -> ScheduleFields:
    return check_body(body, now=at("12:00"), default_max_retries=3)


@each_row("Ticks missed while nothing looked")
def test_missed_ticks_are_caught_up_as_the_table_says(row: list[str]) -> None:
    heading = "Ticks missed while nothing looked"
    down, up = re.findall(r"from (\d+:\d+) to (\d+:\d+)", prose(heading))[0]
    first = next_tick(due().recurrence, at(down))
    catch_up = CatchUp(code(row[0]))
    decision = decide(due(next_tick_at=first, catch_up=catch_up), at(up))
    assert outcomes(decision, grid(heading)[0][1:]) == row[1:]
    assert ("(default)" in row[0]) is (catch_up is checked(EVERY_TEN).catch_up)


@each_row("Overlap")
def test_overlap_is_decided_as_the_table_says(row: list[str]) -> None:
    overlap = Overlap(code(row[0]))
    one = decide(due(overlap=overlap, active=1), at("12:10"))
    two = decide(due(overlap=overlap, active=2, waiting=1), at("12:10"))
    assert [outcome(one, at("12:10")), outcome(two, at("12:10"))] == row[1:]
    assert ("(default)" in row[0]) is (overlap is checked(EVERY_TEN).overlap)


@each_row("A clock that jumps")
def test_a_clock_that_jumps_does_what_the_table_says(row: list[str]) -> None:
    heading = "A clock that jumps"
    ran = re.findall(r"tick of (\d+:\d+) ran", prose(heading))[0]
    upcoming = due(next_tick_at=at(ran) + TEN_MINUTES)
    assert outcomes(decide(upcoming, at(row[0])), grid(heading)[0][1:]) == row[1:]


# ---- what a person does ----


def created(body: Mapping[str, Any]) -> Schedule:
    schedule = Schedule(id="a" * 32, run_count=0)
    apply(schedule, checked(body))
    plan(schedule, None, at("12:00"))
    return schedule


def patch(schedule: Schedule, body: Mapping[str, Any], now: datetime) -> None:
    before = fields_of_schedule(schedule)
    changes = ScheduleChanges(partial=True).load(body)
    apply(schedule, check_body(merged(schedule, changes), now=now, default_max_retries=3))
    plan(schedule, before, now)


@each_row("Edits")
def test_an_edit_moves_the_next_tick_as_the_table_says(row: list[str]) -> None:
    schedule = created(EVERY_TEN)
    patch(schedule, json.loads(code(row[0])), at("12:05"))
    tick = schedule.next_tick_at
    assert (f"{tick:%H:%M}" if tick else "none") == row[1]


def test_pausing_and_skipping_do_what_the_table_says() -> None:
    said = {code(row[0]): row[1:] for row in rows_of("Pause, resume, skip")}
    assert said == {
        "pause": then_on(decide(due(paused=True), at("12:15"))),
        "skip-next": then_on(decide(due(skip_next=True), at("12:10"))),
        '{"enabled": false}': ["no tick", *disabled_at_ten_past()],
    }


def then_on(first: Decision) -> list[str]:
    """What became of the tick of 12:10, and becomes of the next one."""
    second = due(next_tick_at=first.next_tick_at, skip_next=first.skip_next)
    return [outcome(first, at("12:10")), outcome(decide(second, at("12:20")), at("12:20"))]


def disabled_at_ten_past() -> list[str]:
    schedule = created(EVERY_TEN)
    patch(schedule, {"enabled": False}, at("12:05"))
    assert schedule.next_tick_at is None
    patch(schedule, {"enabled": True}, at("12:15"))
    resumed = due(next_tick_at=schedule.next_tick_at)
    return [outcome(decide(resumed, at("12:20")), at("12:20"))]


# ---- bodies ----


@each_row("What is refused")
def test_what_is_refused_is_refused_for_that_reason(row: list[str]) -> None:
    with pytest.raises((ValidationError, InvalidInput)) as refusal:
        fields = checked(NamedScheduleBody().load(json.loads(code(row[0]))))
        refuse_empty_window(fields.recurrence(anchor_of(fields, at("12:00"))), at("12:00"))
    assert row[1] in reasons(refusal.value)


def reasons(error: Exception) -> str:
    return str(error.errors if isinstance(error, InvalidInput) else error)


@each_row("What to choose when")
def test_bodies_to_choose_are_accepted(row: list[str]) -> None:
    body = json.loads(code(row[1]))
    fields = checked(NamedScheduleBody().load(body))
    assert next_tick(fields.recurrence(None), DAY) is not None


def test_no_body_is_left_untried() -> None:
    tried = {code(row[0]) for name in ("Edits", "What is refused") for row in rows_of(name)}
    tried |= {code(row[1]) for row in rows_of("What to choose when")}
    tried |= {'{"enabled": false}', '{"enabled": true}'}
    assert {word for word in code_words(TIME) if word.startswith("{")} == tried


# ---- others ----


@pytest.mark.parametrize(
    ("row", "said", "expression", "start", "seen"),
    [
        (
            "Spring gap",
            "once, at 03:00 (seen)",
            "30 2 * * *",
            "2026-03-08T00:00",
            "08 03:00, 09 02:30",
        ),
        ("Autumn repeat", "twice (seen)", "30 1 * * *", "2026-11-01T00:00", "01 01:30, 01 01:30"),
        (
            "Both fields for days",
            "either (seen)",
            "0 9 13 * 5",
            "2026-04-09T00:00",
            "10 09:00, 13 09:00",
        ),
    ],
    ids=lambda value: value,
)
def test_croniter_does_what_is_said_of_it(
    row: str, said: str, expression: str, start: str, seen: str
) -> None:
    [told] = [each for each in cells(section("Beside others").splitlines()) if row in each[0]]
    assert told[3] == said
    ticks = croniter(expression, datetime.fromisoformat(start).replace(tzinfo=NEW_YORK))
    assert ", ".join(f"{ticks.get_next(datetime):%d %H:%M}" for _ in range(2)) == seen


# ---- the rest ----


def test_limits_in_the_text_are_those_of_the_code() -> None:
    text = " ".join(read(TIME).split())
    assert f"no more than {LIVE_SECONDS} seconds late is live" in text
    assert (DEFAULT_CATCH_UP_WINDOW_SECONDS, "(an hour by default)" in text) == (3600, True)
    assert (MAX_WAIT_SECONDS, "notices within half a second" in text) == (0.5, True)


def test_every_source_that_is_named_is_listed_and_the_other_way_round() -> None:
    text = read(TIME)
    named = set(re.findall(r"\]\[([\w-]+)\]", text))
    assert named == set(re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE))
