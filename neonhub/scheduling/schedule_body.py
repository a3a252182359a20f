"""A schedule's body: between the client's fields, the columns and the stored versions."""

import json
from collections.abc import Mapping
from dataclasses import fields as fields_of
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from neonhub.domain.jitter import jitter_for
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, Overlap, Priority
from neonhub.domain.validation import RECURRENCES, ScheduleFields, validate_schedule
from neonhub.errors import InvalidInput
from neonhub.models import Schedule

DEFAULT_NAME = "default"
MAX_NAME = 100
MAX_CRON = 255

_COLUMNS = tuple(field.name for field in fields_of(ScheduleFields))
_STORED = tuple(name for name in _COLUMNS if name != "interval_seconds")
_stored_of = attrgetter(*_STORED)
_FIELDS = frozenset({*_STORED, "name"})


def check_body(
    body: Mapping[str, Any],
    *,
    now: datetime,
    default_max_retries: int,
    stored: Schedule | None = None,
) -> ScheduleFields:
    """Check a whole body.

    Args:
        body: snake_case names; what is left out or None gets its default.
        stored: What the schedule is now; an instant in its past that stays is accepted.

    Raises:
        InvalidInput: With every problem, by the field's camelCase name.
    """
    errors = {camel(name): ["Unknown field."] for name in body if name not in _FIELDS}
    expression = body.get("cron_expression")
    if isinstance(expression, str) and len(expression) > MAX_CRON:
        errors["cronExpression"] = [f"It may have at most {MAX_CRON} characters."]
    if "input" in body and not _is_json(body["input"]):
        errors["input"] = ["It must be JSON, without NaN and Infinity."]
    if errors:
        raise InvalidInput(errors)
    return validate_schedule(
        {name: value for name, value in body.items() if name != "name"},
        now=now,
        default_max_retries=default_max_retries,
        stored=body_of(stored) if stored is not None else None,
    )


def check_name(name: object) -> str:
    """Check the name that tells an agent's schedules apart.

    Raises:
        InvalidInput: It is not a text of 1 to 100 printable characters.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InvalidInput({"name": ["It must be a text of printable characters."]})
    if len(name) > MAX_NAME:
        raise InvalidInput({"name": [f"It may have at most {MAX_NAME} characters."]})
    return name


def body_of(schedule: Schedule | Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """The body that is stored, by snake_case names, every field in it."""
    return dict(zip(_STORED, _stored_of(schedule), strict=True))


def merged(schedule: Schedule, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The stored body with some fields changed.

    A new recurrence takes the place of the old one, and of the zone if it has none.
    """
    body = body_of(schedule)
    given = [name for name in RECURRENCES if changes.get(name) is not None]
    if given:
        body |= dict.fromkeys(RECURRENCES)
        if "cron_expression" not in given:
            body["timezone"] = None
    return {**body, **changes}


def fields_of_schedule(schedule: Schedule) -> ScheduleFields:
    """The stored body in the form of one that was checked."""
    values = {name: getattr(schedule, name) for name in _COLUMNS}
    values["priority"] = Priority(schedule.priority)
    values["overlap"] = Overlap(schedule.overlap)
    values["catch_up"] = CatchUp(schedule.catch_up)
    return ScheduleFields(**values)


def recurrence_of(schedule: Schedule) -> Recurrence:
    """What decides the schedule's ticks."""
    jitter = jitter_for(schedule.id, schedule.jitter_seconds)
    return fields_of_schedule(schedule).recurrence(schedule.anchor_at).jittered(jitter)


def apply(schedule: Schedule, checked: ScheduleFields) -> None:
    """Write a checked body into the columns."""
    for name in _COLUMNS:
        setattr(schedule, name, getattr(checked, name))
    schedule.priority_rank = checked.priority.rank


def version_body(schedule: Schedule) -> dict[str, Any]:
    """What is kept of a version: the body by camelCase names, and the grid's anchor."""
    body = {**body_of(schedule), "name": schedule.name, "anchor_at": schedule.anchor_at}
    return {
        camel(name): value.isoformat() if isinstance(value, datetime) else value
        for name, value in body.items()
    }


def is_same(one: ScheduleFields, other: ScheduleFields) -> bool:
    """Whether two bodies mean and say the same; in JSON, 1 and true are not."""
    return one == other and _canonical(one) == _canonical(other)


def camel(name: str) -> str:
    """A field's name as clients write it."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _canonical(checked: ScheduleFields) -> str:
    return json.dumps([checked.input, checked.interval], sort_keys=True)


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
