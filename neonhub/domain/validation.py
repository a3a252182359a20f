"""A schedule's body: every field checked, defaults filled in, all problems told at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from neonhub.domain.cron import (
    InvalidSchedule,
    parse_cron,
    refuse_backward_ranges,
    refuse_long_steps,
)
from neonhub.domain.instant import text_of
from neonhub.domain.interval import parse_interval
from neonhub.domain.occurrences import shortest_distance
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, Overlap, Priority
from neonhub.errors import InvalidInput

DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_CATCH_UP_WINDOW_SECONDS = 3600
MAX_SECONDS = 366 * 86_400
MAX_RETRIES = 100
MAX_RUNS = 2**31 - 1
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Of instants that others are reckoned from; beyond lies the end of the calendar."""
RECURRENCES = ("cron_expression", "interval", "run_at")


@dataclass(frozen=True, slots=True)
class ScheduleFields:
    """A whole body, checked; what was left out has its default."""

    cron_expression: str | None
    interval: str | int | float | None  # as given
    interval_seconds: float | None
    run_at: datetime | None
    timezone: str
    priority: Priority
    enabled: bool
    input: dict[str, Any]
    max_retries: int
    timeout_seconds: int
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    jitter_seconds: int
    overlap: Overlap
    catch_up: CatchUp
    catch_up_window_seconds: int

    def recurrence(self, anchor: datetime | None) -> Recurrence:
        """What decides the ticks; `anchor` is the first instant of an interval's grid."""
        return Recurrence(
            cron_expression=self.cron_expression,
            interval_seconds=self.interval_seconds,
            run_at=self.run_at,
            timezone=self.timezone,
            anchor=anchor,
            start_at=self.start_at,
            end_at=self.end_at,
        )


def validate_schedule(
    fields: Mapping[str, Any],
    *,
    now: datetime,
    default_max_retries: int = 3,
    stored: Mapping[str, Any] | None = None,
) -> ScheduleFields:
    """Check a whole schedule body.

    Args:
        fields: snake_case names of the contract's body; a None means the same as left out.
        now: An `endAt` before it can never fire.
        stored: What is stored already; an instant in the past that stays as it was is accepted.

    Raises:
        InvalidInput: With every problem, by the field's camelCase name.
    """
    check = _Check({name: value for name, value in fields.items() if value is not None})
    checked = _fields(check, default_max_retries)
    _check_one_recurrence(check)
    _check_window(check, checked, now, stored or {})
    if not check.errors and checked.jitter_seconds:
        _check_jitter(check, checked, now)
    if check.errors:
        raise InvalidInput(check.errors)
    return checked


class _Check:
    """Reads fields one by one and collects what is wrong with them."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self.errors: dict[str, list[str]] = {}

    def fail(self, name: str, sentence: str) -> None:
        head, *rest = name.split("_")
        camel = head + "".join(part.title() for part in rest)
        self.errors.setdefault(camel, []).append(sentence)

    def read(self, name: str, parse: Callable[[Any], Any], default: Any = None) -> Any:
        if name not in self.fields:
            return default
        try:
            return parse(self.fields[name])
        except (InvalidSchedule, ValueError, TypeError) as error:
            self.fail(name, str(error))
            return default


def _fields(check: _Check, default_max_retries: int) -> ScheduleFields:
    return ScheduleFields(
        cron_expression=check.read("cron_expression", _cron),
        interval=check.fields.get("interval"),
        interval_seconds=check.read("interval", parse_interval),
        run_at=check.read("run_at", _instant_in_reach),
        timezone=check.read("timezone", _timezone, "UTC"),
        priority=check.read("priority", _one_of(Priority), Priority.NORMAL),
        enabled=check.read("enabled", _boolean, True),
        input=check.read("input", _object, {}),
        max_retries=check.read("max_retries", _integer(0, MAX_RETRIES), default_max_retries),
        timeout_seconds=check.read(
            "timeout_seconds", _integer(1, MAX_SECONDS), DEFAULT_TIMEOUT_SECONDS
        ),
        start_at=check.read("start_at", _instant_in_reach),
        end_at=check.read("end_at", _instant),
        max_runs=check.read("max_runs", _integer(1, MAX_RUNS)),
        jitter_seconds=check.read("jitter_seconds", _integer(0, MAX_SECONDS), 0),
        overlap=check.read("overlap", _one_of(Overlap), Overlap.SKIP),
        catch_up=check.read("catch_up", _one_of(CatchUp), CatchUp.LATEST),
        catch_up_window_seconds=check.read(
            "catch_up_window_seconds", _integer(0, MAX_SECONDS), DEFAULT_CATCH_UP_WINDOW_SECONDS
        ),
    )


def _check_one_recurrence(check: _Check) -> None:
    given = [name for name in RECURRENCES if name in check.fields]
    if not given:
        check.fail("cron_expression", "One of cronExpression, interval and runAt is needed.")
    for name in given[1:]:
        check.fail(name, "Only one of cronExpression, interval and runAt can be given.")
    is_cron = "cron_expression" in check.fields
    if given and not is_cron and check.fields.get("timezone", "UTC") != "UTC":
        check.fail("timezone", "Only a cronExpression has a time zone; leave it out.")


def _check_window(
    check: _Check, checked: ScheduleFields, now: datetime, stored: Mapping[str, Any]
) -> None:
    start, end = checked.start_at, checked.end_at
    if end is not None and end <= now and end != stored.get("end_at"):
        check.fail("end_at", f"{text_of(end)} is in the past; nothing could fire any more.")
    if start is not None and end is not None and end < start:
        check.fail("end_at", f"{text_of(end)} is before startAt, {text_of(start)}.")
    run_at = checked.run_at
    if run_at is not None and run_at <= now and run_at != stored.get("run_at"):
        check.fail("run_at", f"{text_of(run_at)} is in the past; it must be in the future.")
    if run_at is not None and ((start and run_at < start) or (end and run_at > end)):
        check.fail("run_at", f"{text_of(run_at)} is outside startAt and endAt.")


def _check_jitter(check: _Check, checked: ScheduleFields, now: datetime) -> None:
    shortest = shortest_distance(checked.recurrence(None), now)
    if shortest is not None and checked.jitter_seconds >= shortest:
        check.fail(
            "jitter_seconds",
            f"{checked.jitter_seconds} is not less than the distance of two ticks, {shortest:g} s.",
        )


def _cron(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSchedule(f"{value!r} is not a text of five fields.")
    parse_cron(value)
    refuse_long_steps(value)
    refuse_backward_ranges(value)
    return value


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """The names of all zones, read from the disk once."""
    not_zones = {"localtime", "Factory"}  # but whatever a machine has
    return frozenset(available_timezones() - not_zones)


def _timezone(value: object) -> str:
    zones = _zones()
    if isinstance(value, str) and value in zones:
        return value
    near = {zone.lower(): zone for zone in zones}
    guesses = get_close_matches(str(value), zones, n=1)
    guess = near.get(str(value).lower()) or (guesses[0] if guesses else None)
    hint = f"; did you mean {guess!r}?" if guess else " such as 'Europe/Berlin'."
    raise InvalidSchedule(f"{value!r} is not an IANA time zone{hint}")


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:
            raise InvalidSchedule(
                f"{value!r} is not an instant such as 2026-03-08T07:00:00Z."
            ) from None
    if not isinstance(value, datetime):
        raise InvalidSchedule(f"{value!r} is not an instant such as 2026-03-08T07:00:00Z.")
    if value.tzinfo is None:
        raise InvalidSchedule(f"{value.isoformat()} has no zone; add Z or an offset.")
    return value.astimezone(UTC)


def _instant_in_reach(value: object) -> datetime:
    instant = _instant(value)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        sentence = f"{text_of(instant)} is outside the years {FIRST_YEAR} to {LAST_YEAR}."
        raise InvalidSchedule(sentence)
    return instant


def _integer(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidSchedule(f"{value!r} must be a whole number from {low} to {high}.")
        return value

    return parse


def _one_of(words: Any) -> Callable[[object], Any]:
    def parse(value: object) -> Any:
        if value not in list(words):
            raise InvalidSchedule(f"{value!r} must be one of {', '.join(words)}.")
        return words(value)

    return parse


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidSchedule(f"{value!r} must be true or false.")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidSchedule(f"{value!r} must be an object.")
    return value
