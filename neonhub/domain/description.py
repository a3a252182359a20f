"""A schedule in words."""

from collections.abc import Collection
from functools import lru_cache

from cron_descriptor import CasingTypeEnum, Options, get_description

from neonhub.domain.cron import ALIASES, Cron, parse_cron
from neonhub.domain.instant import text_of
from neonhub.domain.schedule import Recurrence

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def describe(rec: Recurrence) -> str:
    """Such as "At 09:00, Monday through Friday", "Every 30 minutes" or "Once at 2026-…Z"."""
    if rec.cron_expression is not None:
        return _cron_words(rec.cron_expression)
    if rec.interval_seconds is not None:
        return _interval_words(rec.interval_seconds)
    at = text_of(rec.run_at) if rec.run_at else "no time"
    return f"Once at {at}"


@lru_cache(maxsize=1024)  # read again and again, and slow to make
def _cron_words(expression: str) -> str:
    options = Options()
    options.use_24hour_time_format = True
    options.casing_type = CasingTypeEnum.Sentence
    plain = ALIASES.get(expression.strip().lower(), expression)
    fields = map(_listed, plain.split(), _values(parse_cron(expression)), _EVERYTHING)
    return str(get_description(" ".join(fields), options))


_EVERYTHING = (60, 24, 31, 12, 7)


def _listed(field: str, values: Collection[int], everything: int) -> str:
    """The field; a list with `*` or a step in it, which the describer fails on, by its values."""
    if "," not in field or not set("*/") & set(field):
        return field
    return "*" if len(values) == everything else ",".join(map(str, sorted(values)))


def _values(cron: Cron) -> tuple[Collection[int], ...]:
    weekdays = {(day + 1) % 7 for day in cron.weekdays}
    return cron.minutes, cron.hours, cron.days, cron.months, weekdays


def _interval_words(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds % size == 0:
            count = int(seconds // size)
            return f"Every {unit}" if count == 1 else f"Every {count} {unit}s"
    return f"Every {seconds:g} seconds"
