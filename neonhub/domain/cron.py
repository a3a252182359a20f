"""Cron expressions: five fields or an alias, searched field by field."""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from croniter import croniter
from croniter.croniter import CroniterError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


_VALUES = (
    ("a minute, 0 to 59", 60),
    ("an hour, 0 to 23", 24),
    ("a day of month, 1 to 31", 31),
    ("a month, 1 to 12 or jan to dec", 12),
    ("a day of week, 0 to 7 or sun to sat", 8),
)
"""What each field holds, and how many values it has."""

_FOREIGN = re.compile(r"[?#~]|(?<![a-z])[rhlw](?![a-z])", re.IGNORECASE)
"""What other crons know beyond the five fields: random, hashed, last, nearest weekday, nth."""

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_WEEKDAYS = "sun mon tue wed thu fri sat".split()
_NUMBERS: tuple[dict[str, int], ...] = (
    *({}, {}, {}),
    {name: number for number, name in enumerate(_MONTHS, start=1)},
    {name: number for number, name in enumerate(_WEEKDAYS)},
)
"""What each field's names stand for."""

_NAME = re.compile(r"(?<![a-z/])[a-z]{3}(?![a-z])")
_RANGE = re.compile(r"(\d+)-(\d+)(?!\d)")
_TO_SUNDAY = re.compile(r"(?<=[^-])-sun(?![a-z])")
_WEEKDAY = 4
_EQUAL_ENDS = re.compile(r"(?<![^,])0*(\d+)-0*\1(/0*[1-9]\d*)?(?![^,])")


class InvalidSchedule(ValueError):
    """A schedule that cannot be understood, with the reason in words."""


@dataclass(frozen=True)
class Cron:
    """A parsed expression.

    A day matches by day-of-month OR day-of-week when both are restricted, as cron(5) says.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 = Monday, as date.weekday()
    any_day: bool
    any_weekday: bool
    follows_clock: bool  # its minute or hour begins with `*`

    def matches(self, day: date) -> bool:
        """Whether the job runs on this date at all."""
        if day.month not in self.months:
            return False
        if self.any_day or self.any_weekday:
            return day.day in self.days and day.weekday() in self.weekdays
        return day.day in self.days or day.weekday() in self.weekdays

    def minute_from(self, minute: int) -> int | None:
        """The first minute of a day it runs in, at or after a minute of the day; None: no more."""
        hour, minute = divmod(max(minute, 0), 60)
        place = bisect_left(self.hours, hour)
        if self.hours[place : place + 1] == (hour,):
            if minute <= self.minutes[-1]:
                return 60 * hour + self.minutes[bisect_left(self.minutes, minute)]
            place += 1
        return 60 * self.hours[place] + self.minutes[0] if place < len(self.hours) else None

    def minute_until(self, minute: int) -> int | None:
        """The last minute of a day it runs in, at or before a minute of the day; None: none."""
        if minute < 0:
            return None
        hour, minute = divmod(minute, 60)
        place = bisect_right(self.hours, hour) - 1
        if place >= 0 and self.hours[place] == hour:
            if minute >= self.minutes[0]:
                return 60 * hour + self.minutes[bisect_right(self.minutes, minute) - 1]
            place -= 1
        return 60 * self.hours[place] + self.minutes[-1] if place >= 0 else None

    def next_date(self, day: date) -> date | None:
        """The first matching date at or after `day`, or None in the next 40 years."""
        last = day.year + 40
        while day.year < last:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif self.matches(day):
                return day
            else:
                day += timedelta(days=1)
        return None


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """Parse five fields or an alias.

    Raises:
        InvalidSchedule: With the reason in words.
    """
    fields = _fields(text)
    try:
        plain = (_without_equal_ends(field, place) for place, field in enumerate(fields))
        expanded, _ = croniter.expand(" ".join(plain))
    except (CroniterError, ValueError, KeyError) as error:
        raise InvalidSchedule(f"{text!r} is not a cron expression: {_fault(fields)}.") from error
    everything = (range(60), range(24), range(1, 32), range(1, 13), range(7))
    sets = [
        frozenset(full) if "*" in values else frozenset(int(v) for v in values)
        for values, full in zip(expanded, everything, strict=True)
    ]
    cron = Cron(
        text=text,
        minutes=tuple(sorted(sets[0])),
        hours=tuple(sorted(sets[1])),
        days=sets[2],
        months=sets[3],
        weekdays=frozenset((day - 1) % 7 for day in sets[4]),
        any_day=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
        follows_clock=fields[0].startswith("*") or fields[1].startswith("*"),
    )
    _refuse_if_never(cron)
    return cron


def _fields(text: str) -> list[str]:
    alias = text.strip().lower()
    if alias.startswith("@"):
        if alias not in ALIASES:
            raise InvalidSchedule(f"{text!r} is not known; allowed: {', '.join(ALIASES)}.")
        return ALIASES[alias].split()
    fields = text.split()
    if len(fields) != 5:
        raise InvalidSchedule(
            f"{text!r} has {len(fields)} field{'s' * (len(fields) != 1)}; five are needed: "
            "minute, hour, day of month, month, day of week."
        )
    for field in fields:
        if foreign := _FOREIGN.search(field):
            raise InvalidSchedule(f"{foreign[0]!r} in {field!r} is not part of standard cron.")
    return fields


def _without_equal_ends(field: str, place: int) -> str:
    """The field with `5-5` written as `5`, which croniter would take for every value."""
    return _EQUAL_ENDS.sub(r"\1", _with_numbers(field, place))


def _with_numbers(field: str, place: int) -> str:
    numbers = _NUMBERS[place]
    return _NAME.sub(lambda name: str(numbers.get(name[0], name[0])), field.lower())


def refuse_long_steps(text: str) -> None:
    """Refuse a step longer than its field: `*/90` minutes would be once an hour.

    Raises:
        InvalidSchedule: With the reason in words.
    """
    for field, (_, count) in zip(_fields(text), _VALUES, strict=True):
        for step in re.findall(r"/(\d+)(?=,|$)", field):
            if int(step) > count:
                raise InvalidSchedule(
                    f"A step of {step} in {field!r} is longer than the field, which has {count} "
                    "values; use an interval instead."
                )


def refuse_backward_ranges(text: str) -> None:
    """Refuse `22-4`, as Debian's cron does; `fri-sun` goes upwards, to the Sunday that is 7.

    Raises:
        InvalidSchedule: With the reason in words.
    """
    for place, field in enumerate(_fields(text)):
        for part in field.lower().split(","):
            upwards = _TO_SUNDAY.sub("-7", part) if place == _WEEKDAY else part
            ends = _RANGE.match(_with_numbers(upwards, place))
            if ends and int(ends[1]) > int(ends[2]):
                raise InvalidSchedule(
                    f"The range {part!r} does not go upwards; write two, such as 22-23,0-4."
                )


def _fault(fields: list[str]) -> str:
    """Which field is wrong, and what it may hold."""
    for place, (field, (meaning, _)) in enumerate(zip(fields, _VALUES, strict=True)):
        alone = ["*"] * 5
        alone[place] = field
        try:
            croniter.expand(" ".join(alone))
        except (CroniterError, ValueError, KeyError):
            return f"{field!r} is not {meaning}"
    return "its fields do not go together"


def _refuse_if_never(cron: Cron) -> None:
    if not cron.any_day and not cron.any_weekday:
        return  # any weekday comes around
    if not any(day <= monthrange(2024, month)[1] for day in cron.days for month in cron.months):
        raise InvalidSchedule(f"{cron.text!r} never fires: no such day in that month.")
