"""Publishing events: one round trip, and an event of the database never twice."""

from collections.abc import Sequence
from typing import cast

from redis import Redis

from neonhub.clock import utcnow
from neonhub.events.event import RESYNC, Event
from neonhub.redis import keys
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
    args: list[str | int] = [
        keys.EVENTS_CHANNEL,
        KEPT_EVENTS,
        int(utcnow().timestamp()),
        SEEN_SECONDS,
        RESYNC,
    ]
    for event in events:
        args += [event.row_id or "", event.body()]
    run = script(redis, "publish")
    ids = cast(list[bytes], run(keys=[keys.EVENTS_STREAM, keys.EVENTS_SEEN], args=args))
    return [event_id.decode() for event_id in ids]
