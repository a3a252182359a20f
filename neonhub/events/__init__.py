"""Telling everyone who watches: publish, replay, fan-out."""

from neonhub.events.event import NAMES, Event
from neonhub.events.fanout import FanOut
from neonhub.events.publish import publish
from neonhub.events.replay import newest_id, replay
from neonhub.events.subscriber import Filter, Flooded, Subscriber

__all__ = [
    "NAMES",
    "Event",
    "FanOut",
    "Filter",
    "Flooded",
    "Subscriber",
    "newest_id",
    "publish",
    "replay",
]
