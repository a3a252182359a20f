"""Publishing events: one round trip, and an event of the database never twice."""

from collections.abc import Sequence
from typing import cast

from redis import Redis

from neonhub.clock import utcnow
from neonhub.events.event import RESYNC, Event
from neonhub.redis import keys
from neonhub.redis.round_trip import RoundTrip
from neonhub.redis.scripts import script

KEPT_EVENTS = 10_000
"""How many events can be replayed, roughly."""

SEEN_SECONDS = 900
"""How long a published row is remembered; the lifeline looks back less far."""


def publish(redis: Redis, events: Sequence[Event]) -> list[str]:
    """Give events their ids, keep them for replay and send them to all who watch.

    Repeating it is harmless: an event whose `row_id` was published before is left out.

    Returns:
        The ids, growing; "" for an event that was published before.

    Raises:
        redis.exceptions.RedisError: Redis did not take them.
    """
    if not events:
        return []
    run = script(redis, "publish")
    ids = cast(list[bytes], run(keys=_KEYS, args=_args(events)))
    return [event_id.decode() for event_id in ids]


def add_publish(trip: RoundTrip, events: Sequence[Event]) -> None:
    """Add to a round trip what `publish` does."""
    if events:
        trip.script("publish", _KEYS, _args(events))


_KEYS = (keys.EVENTS_STREAM, keys.EVENTS_SEEN)


def _args(events: Sequence[Event]) -> list[str | int]:
    args: list[str | int] = [
        keys.EVENTS_CHANNEL,
        KEPT_EVENTS,
        int(utcnow().timestamp()),
        SEEN_SECONDS,
        RESYNC,
    ]
    for event in events:
        args += [event.row_id or "", event.body()]
    return args
