"""The next ticks beside those of cronsim, which follows Debian's cron too.

Where the two are known to disagree, `KNOWN` says why, and shows both answers. Everywhere else their
ticks must be the same.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neonhub.domain.cron import InvalidSchedule, parse_cron
from neonhub.domain.occurrences import next_tick
from neonhub.domain.schedule import Recurrence
from tests.examples import EXAMPLES
from tests.unit.domain.expressions import expressions

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
TICKS = 5
MAX_STEPS = 200_000
"""Steps after which cronsim counts as lost; it never ends on some changes of the clock."""


@dataclass(frozen=True)
class Question:
    """What are the next ticks of an expression in a zone, strictly after an instant?"""

    expression: str
    zone: str
    start: datetime

    @property
    def follows_clock(self) -> bool:
        return parse_cron(self.expression).follows_clock


@dataclass(frozen=True)
class Change:
    """A change of a zone's offset."""

    at: datetime
    wall_before: datetime
    wall_after: datetime

    @property
    def is_whole_hours(self) -> bool:
        """Whether whole hours change into whole hours."""
        size = self.wall_after - self.wall_before
        return not size % HOUR and not self.wall_after.minute

    @property
    def skips_midnight(self) -> bool:
        midnight = datetime.combine(self.wall_after.date(), time())
        return self.wall_before <= midnight < self.wall_after


class Lost(Exception):
    """cronsim found no end."""


class _CountedSim(CronSim):
    steps = 0

    def tick(self, seconds: int = 1) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Lost
        super().tick(seconds)


def ours(question: Question) -> list[datetime]:
    rec = Recurrence(cron_expression=question.expression, timezone=question.zone)
    found: list[datetime] = []
    tick = next_tick(rec, question.start)
    while tick is not None and len(found) < TICKS:
        found.append(tick)
        tick = next_tick(rec, tick)
    return found


def theirs(question: Question) -> list[datetime]:
    sim = _CountedSim(question.expression, question.start.astimezone(ZoneInfo(question.zone)))
    return [tick.astimezone(UTC) for tick in islice(sim, TICKS)]


def changes(zone: str, start: datetime, end: datetime) -> Iterator[Change]:
    """The changes of a zone's offset in start ≤ t < end, to the second."""
    info = ZoneInfo(zone)
    while start < end:
        following = start + DAY
        if start.astimezone(info).utcoffset() != following.astimezone(info).utcoffset():
            at = _first_after(info, start, following)
            offset = (at - SECOND).astimezone(info).utcoffset() or timedelta()
            wall_before = at.replace(tzinfo=None) + offset
            yield Change(at, wall_before, at.astimezone(info).replace(tzinfo=None))
        start = following


def _first_after(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = low + (high - low) // (2 * SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


@cache
def changes_of_years(zone: str) -> list[Change]:
    return list(changes(zone, FIRST, LAST))


def changes_met(question: Question) -> list[Change]:
    """The changes that whoever looks for the ticks comes across."""
    start = question.start.replace(microsecond=0)
    return list(changes(question.zone, start - DAY, max(ours(question), default=start) + DAY))


@dataclass(frozen=True)
class Disagreement:
    """A kind of question that both answer differently now and then, and one such question.

    `ours` and `theirs` are the beginnings of the answers, in UTC; None: cronsim finds no end.
    """

    why: str
    concerns: Callable[[Question], bool]
    example: Question
    ours: str
    theirs: str | None


def _steps_from_a_weekday(question: Question) -> bool:
    weekdays = question.expression.split()[4]
    return any(re.fullmatch(r"\w+/\d+", term) for term in weekdays.split(","))


def _steps_in_a_range_of_one(question: Question) -> bool:
    terms = re.split("[ ,]", question.expression)
    return any(re.fullmatch(r"(\w+)-\1/\d+", term) for term in terms)


def _starts_in_the_second_pass(question: Question) -> bool:
    local = question.start.astimezone(ZoneInfo(question.zone))
    return local.fold == 1 and not question.follows_clock


def _follows_a_change_of_half_hours(question: Question) -> bool:
    met = changes_met(question) if question.follows_clock else []
    return not all(change.is_whole_hours for change in met)


def _follows_a_gap_at_midnight(question: Question) -> bool:
    met = changes_met(question) if question.follows_clock else []
    return any(change.skips_midnight for change in met)


def _asked(expression: str, zone: str, start: str) -> Question:
    return Question(expression, zone, datetime.fromisoformat(start))


KNOWN = (
    Disagreement(
        "To cronsim the days of the week end with 7, a second Sunday; here with 6, and 7 is 0.",
        _steps_from_a_weekday,
        _asked("0 9 * * 1/2", "UTC", "2026-03-06T12:00Z"),  # a Friday
        ours="2026-03-09T09:00 2026-03-11T09:00",
        theirs="2026-03-08T09:00 2026-03-09T09:00",
    ),
    Disagreement(
        "cronsim reads a range of one value with a step as if it had no end.",
        _steps_in_a_range_of_one,
        _asked("0 9-9/4 * * *", "UTC", "2026-03-06T00:00Z"),
        ours="2026-03-06T09:00 2026-03-07T09:00",
        theirs="2026-03-06T09:00 2026-03-06T13:00",
    ),
    Disagreement(
        "Asked in the second pass of a repeated hour, cronsim answers with its first: the past.",
        _starts_in_the_second_pass,
        _asked("30 1 * * *", "America/New_York", "2026-11-01T06:15Z"),
        ours="2026-11-02T06:30 2026-11-03T06:30",
        theirs="2026-11-01T05:30 2026-11-02T06:30",
    ),
    Disagreement(
        "cronsim goes on by whole hours, and so steps over what half hours make of an hour.",
        _follows_a_change_of_half_hours,
        _asked("*/15 4 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z"),
        ours="2026-10-03T17:00 2026-10-03T17:15 2026-10-03T17:30",
        theirs="2026-10-03T17:30 2026-10-03T17:45 2026-10-04T17:00",
    ),
    Disagreement(
        "The same where a change is not on the hour; there it can look for ever.",
        _follows_a_change_of_half_hours,
        _asked("45 */3 * * *", "Pacific/Chatham", "2027-04-03T12:00Z"),
        ours="2027-04-03T15:00 2027-04-03T18:00",
        theirs=None,
    ),
    Disagreement(
        "Where the gap is at midnight, cronsim begins the day with a midnight that is none.",
        _follows_a_gap_at_midnight,
        _asked("* 0,12 * * 0", "America/Santiago", "2026-09-05T12:00Z"),
        ours="2026-09-06T15:00 2026-09-06T15:01",
        theirs="2026-09-06T04:00 2026-09-06T15:00",
    ),
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Mostly within a day of a change of the clock."""
    zone = draw(st.sampled_from(ZONES))
    seconds = draw(st.integers(0, int((LAST - FIRST).total_seconds())))
    start = FIRST + timedelta(seconds=seconds)
    met = changes_of_years(zone)
    is_near = draw(st.integers(0, 4)) > 0
    if met and is_near:
        start = draw(st.sampled_from(met)).at + timedelta(minutes=draw(st.integers(-1500, 1500)))
    return Question(draw(expressions), zone, start)


def is_accepted(expression: str, by: Callable[[str], object]) -> bool:
    try:
        by(expression)
    except (InvalidSchedule, CronSimError):
        return False
    return True


def simulated(expression: str) -> CronSim:
    return CronSim(expression, FIRST)


@settings(max_examples=EXAMPLES)
@given(question=questions())
def test_the_ticks_are_those_of_cronsim_but_where_a_reason_is_known(question: Question) -> None:
    assume(is_accepted(question.expression, parse_cron))
    assume(not any(known.concerns(question) for known in KNOWN))
    assert ours(question) == theirs(question)


@settings(max_examples=EXAMPLES)
@given(expression=expressions)
def test_what_cron_knows_is_accepted_by_both_or_by_none(expression: str) -> None:
    assert is_accepted(expression, parse_cron) == is_accepted(expression, simulated)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.example.expression)
def test_a_known_disagreement_is_still_one(known: Disagreement) -> None:
    assert known.concerns(known.example)
    assert begins(ours(known.example), known.ours)
    if known.theirs is None:
        with pytest.raises(Lost):
            theirs(known.example)
    else:
        assert begins(theirs(known.example), known.theirs)
        assert known.ours != known.theirs


def begins(ticks: list[datetime], said: str) -> bool:
    texts = [f"{tick:%Y-%m-%dT%H:%M}" for tick in ticks]
    return texts[: len(said.split())] == said.split()


@pytest.mark.parametrize(
    ("expression", "by_us", "by_cronsim"),
    [
        ("@daily", True, False),  # an alias
        (
            "0 9 * * fri-mon",
            True,
            False,
        ),  # a range across the end of its field, which no body may have
        ("0 22-4 * * *", True, False),
        ("0 0 L * *", False, True),  # the last day of the month
        ("0 0 LW * *", False, True),  # its last working day
        ("0 0 * * 5L", False, True),  # its last Friday
        ("0 0 * * mon#1", False, True),  # its first Monday
        ("30 0 9 * * *", False, True),  # with seconds
    ],
)
def test_what_only_one_of_them_accepts(expression: str, by_us: bool, by_cronsim: bool) -> None:
    assert is_accepted(expression, parse_cron) is by_us
    assert is_accepted(expression, simulated) is by_cronsim
