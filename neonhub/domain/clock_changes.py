"""What a change of the clock does to a tick, in words."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from neonhub.domain.cron import Cron, parse_cron
from neonhub.domain.local_days import instant_of, is_plain
from neonhub.domain.schedule import Recurrence

_DAY = timedelta(days=1)
_MAX_NAMED = 5
"""Local times named in one note; a gap may swallow sixty."""


def note_on(rec: Recurrence, tick: datetime) -> str | None:
    """Why a tick is not simply at its local time: moved, merged or repeated; None: it is.

    Args:
        tick: One of the recurrence's ticks.
    """
    if rec.cron_expression is None:
        return None
    zone = rec.zone
    local = tick.astimezone(zone)
    day = local.date()
    if is_plain(day, zone) and is_plain(day - _DAY, zone):
        return None
    cron = parse_cron(rec.cron_expression)
    if _comes_twice(local):
        return _on_repeated(cron, local)
    swallowed = [] if cron.follows_clock else _swallowed(cron, tick, day, zone)
    return _on_swallowed(swallowed, _matches(cron, local)) if swallowed else None


def _comes_twice(local: datetime) -> bool:
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def _on_repeated(cron: Cron, local: datetime) -> str:
    twice = f"{local:%H:%M} comes twice, as the clocks go back"
    if cron.follows_clock:
        return f"{twice}; this is the {'second' if local.fold else 'first'} time."
    return f"{twice}; it runs the first time only."


def _swallowed(cron: Cron, tick: datetime, day: date, zone: ZoneInfo) -> list[time]:
    """The fixed times that don't exist and run at this tick instead."""
    nominal_days = [each for each in (day - _DAY, day) if cron.matches(each)]
    walls = (
        datetime.combine(each, time(hour, minute))
        for each in nominal_days
        for hour in cron.hours
        for minute in cron.minutes
    )
    local = tick.astimezone(zone).replace(tzinfo=None)
    return [w.time() for w in walls if w != local and instant_of(w, zone) == tick]


def _matches(cron: Cron, local: datetime) -> bool:
    return cron.matches(local.date()) and local.hour in cron.hours and local.minute in cron.minutes


def _on_swallowed(times: Sequence[time], merged: bool) -> str:
    named = ", ".join(f"{each:%H:%M}" for each in times[:_MAX_NAMED])
    more = f" and {len(times) - _MAX_NAMED} more" if len(times) > _MAX_NAMED else ""
    verb = "does" if len(times) == 1 else "do"
    if merged:
        then = "is one with this run" if len(times) == 1 else "are one with this run"
    else:
        then = "runs right after" if len(times) == 1 else "run once, right after"
    return f"{named}{more} {verb} not exist, as the clocks go forward, and {then}."
