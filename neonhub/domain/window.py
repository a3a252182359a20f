"""Refuses a window from `startAt` to `endAt` in which nothing fires."""

from datetime import datetime

from neonhub.domain.instant import text_of
from neonhub.domain.occurrences import next_tick
from neonhub.domain.schedule import Recurrence
from neonhub.errors import InvalidInput


def refuse_empty_window(rec: Recurrence, now: datetime) -> None:
    """Refuse a recurrence without any tick after `now`.

    Jitter is not looked at: it differs from schedule to schedule.

    Raises:
        InvalidInput: By `endAt`, or `startAt` where that lies at the end of the calendar.
    """
    if next_tick(rec, now) is not None:
        return
    since = text_of(max(now, rec.start_at) if rec.start_at else now)
    if rec.end_at is None:
        raise InvalidInput({"startAt": [f"No tick lies after {since}; it would never fire."]})
    sentence = f"No tick lies between {since} and {text_of(rec.end_at)}; it would never fire."
    raise InvalidInput({"endAt": [sentence]})
