"""Reading again what a client missed."""

from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from neonhub.events.event import PublishedEvent, parse_published, position_of
from neonhub.redis import keys
from neonhub.redis.scripts import script

FROM_START = "0-0"
"""The id before all others."""


@dataclass(frozen=True, slots=True)
class Replay:
    """All events after an id, without a gap, and the newest id there is."""

    events: list[PublishedEvent]
    last_id: str


def replay(redis: Redis, after_id: str) -> Replay | None:
    """Read all that came after an event.

    Returns:
        None where a gap can't be ruled out: the id is older than what is kept, was never given,
        or is from before Redis was emptied.

    Raises:
        redis.exceptions.RedisError: Redis did not answer.
    """
    try:
        milliseconds, number = position_of(after_id)
    except ValueError:
        return None
    run = script(redis, "replay")
    found = cast(list[Any], run(keys=[keys.EVENTS_STREAM], args=[milliseconds, number]))
    if not found[0]:
        return None
    events = [parse_published(text.decode()) for text in found[2]]
    return Replay(events, found[1].decode())


def newest_id(redis: Redis) -> str:
    """The id of the newest event, or `FROM_START` if there is none.

    Raises:
        redis.exceptions.RedisError: Redis did not answer.
    """
    newest = cast(list[Any], redis.xrevrange(keys.EVENTS_STREAM, count=1))
    return newest[0][0].decode() if newest else FROM_START
