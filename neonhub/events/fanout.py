"""One reader of Redis a web process, which offers each event to those who want it."""

import logging
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from neonhub.events.audience import Audience
from neonhub.events.event import RESYNC, PublishedEvent, parse_published, position_of
from neonhub.events.replay import FROM_START, newest_id, replay
from neonhub.events.subscriber import Filter, Subscriber
from neonhub.redis import keys
from neonhub.redis.connect import connect_blocking

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = 0.5


SLICE = 50
"""Clients that are sent an event before whoever else waits, such as a request, gets a turn."""

A_TURN_SECONDS = 1e-9
"""So short that nobody waits for it; but gevent looks for what has come only in a sleep above 0."""


class FanOut:
    """Reads each event once and offers it to the subscribers of this process that may want it."""

    def __init__(self, redis_url: str) -> None:
        """Nothing connects before the first subscriber."""
        self.sent = 0
        """Messages written to this process's clients so far."""

        self._redis_url = redis_url
        self._subscribers: set[Subscriber] = set()
        self._audience = Audience()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._is_stopped = False
        self._last_id: str | None = None
        self._has_begun = threading.Event()

    def __len__(self) -> int:
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Count a subscriber in; the first one starts the reader."""
        with self._lock:
            self._subscribers.add(subscriber)
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="events", daemon=True)
                self._reader.start()

    def wait_until_reading(self, timeout: float) -> bool:
        """Wait until nothing that is published from now on can be missed.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            False if Redis was away all the time.
        """
        return self._has_begun.wait(timeout)

    def listen(self, subscriber: Subscriber, wanted: Filter) -> None:
        """Offer a subscriber what it wants from now on; it collects that until it begins."""
        with self._lock:
            self._audience.put(subscriber, wanted)
            subscriber.listen(wanted)

    def mute(self, subscriber: Subscriber) -> None:
        """Offer it nothing more until it listens again."""
        with self._lock:
            self._audience.remove(subscriber)
            subscriber.mute()

    def remove(self, subscriber: Subscriber) -> None:
        """Count a subscriber out."""
        with self._lock:
            self._audience.remove(subscriber)
            self._subscribers.discard(subscriber)

    def count_sent(self) -> None:
        """Count a message that was written."""
        self.sent += 1

    def stop(self) -> None:
        """End the reader at its next message or second."""
        self._is_stopped = True

    def _read(self) -> None:
        while not self._is_stopped:
            try:
                # Without retries: redis-py would subscribe again by itself, and leave a gap.
                with connect_blocking(self._redis_url, retry=Retry(NoBackoff(), 0)) as redis:
                    self._follow(redis)
            except RedisError as error:
                logger.warning("Live events wait for Redis: %s", error)
                threading.Event().wait(RECONNECT_SECONDS)

    def _follow(self, redis: Redis) -> None:
        with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(keys.EVENTS_CHANNEL)
            pubsub.get_message(timeout=1)  # the answer: from here on nothing is missed
            self._catch_up(redis)
            self._has_begun.set()
            while not self._is_stopped:
                message = pubsub.get_message(timeout=1)
                if message is not None and message["type"] == "message":
                    self._take(message["data"].decode())

    def _take(self, text: str) -> None:
        if text != RESYNC:
            self._dispatch(parse_published(text))
        elif self._last_id != FROM_START:  # else nothing was published before
            self._resync(FROM_START)

    def _catch_up(self, redis: Redis) -> None:
        """Offer what was published while this process was not connected."""
        if self._last_id is None:
            self._last_id = newest_id(redis)
            return
        missed = replay(redis, self._last_id)
        if missed is None:
            self._resync(newest_id(redis))
            return
        for event in missed.events:
            self._dispatch(event)

    def _resync(self, last_id: str) -> None:
        self._last_id = last_id
        with self._lock:
            everyone = list(self._subscribers)
        self._each(everyone, Subscriber.resync)

    def _dispatch(self, event: PublishedEvent) -> None:
        if self._last_id is not None and event.position <= position_of(self._last_id):
            return
        self._last_id = event.id
        with self._lock:
            listeners = self._audience.of(event)
        self._each(listeners, lambda subscriber: subscriber.offer(event))

    def _each(self, subscribers: list[Subscriber], do: Callable[[Subscriber], None]) -> None:
        for number, subscriber in enumerate(subscribers, 1):
            do(subscriber)
            if number % SLICE == 0:
                time.sleep(A_TURN_SECONDS)
