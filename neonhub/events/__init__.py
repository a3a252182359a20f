"""Telling everyone who watches: publish, replay, fan-out."""

from neonhub.events.event import NAMES, Event
from neonhub.events.fanout import FanOut, Filter, Flooded, Subscriber
from neonhub.events.publish import publish
from neonhub.events.replay import newest_id, replay

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
