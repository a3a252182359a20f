"""A schedule in words."""

from cron_descriptor import CasingTypeEnum, Options, get_description

from neonhub.domain.cron import ALIASES
from neonhub.domain.schedule import Recurrence

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def describe(rec: Recurrence) -> str:
    """Such as "At 09:00, Monday through Friday", "Every 30 minutes" or "Once at 2026-…Z"."""
    if rec.cron_expression is not None:
        return _cron_words(rec.cron_expression)
    if rec.interval_seconds is not None:
        return _interval_words(rec.interval_seconds)
    at = rec.run_at.isoformat().replace("+00:00", "Z") if rec.run_at else "no time"
    return f"Once at {at}"


def _cron_words(expression: str) -> str:
    options = Options()
    options.use_24hour_time_format = True
    options.casing_type = CasingTypeEnum.Sentence
    plain = ALIASES.get(expression.strip().lower(), expression)
    return str(get_description(plain, options))


def _interval_words(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds % size == 0:
            count = int(seconds // size)
            return f"Every {unit}" if count == 1 else f"Every {count} {unit}s"
    return f"Every {seconds:g} seconds"
