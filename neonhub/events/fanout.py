"""One reader of Redis a web process, and a bounded queue for each client."""

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from neonhub.events.event import RESYNC, PublishedEvent, parse_published, position_of
from neonhub.events.replay import FROM_START, newest_id, replay
from neonhub.redis import keys
from neonhub.redis.connect import connect_blocking

logger = logging.getLogger(__name__)

MAX_WAITING = 1000
"""Events that wait for one client before it is told to resync."""

MAX_ANSWERS = 1000
"""Answers that wait for one client before it counts as a flood."""

RECONNECT_SECONDS = 0.5


class Flooded(Exception):
    """The client asks faster than it takes answers."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a client wants to hear; None means everything."""

    agent_ids: frozenset[str] | None = None
    events: frozenset[str] | None = None

    def wants(self, event: PublishedEvent) -> bool:
        """Whether an event passes; one that belongs to no agent passes every `agentIds`."""
        if self.events is not None and event.event not in self.events:
            return False
        return self.agent_ids is None or event.agent_id is None or event.agent_id in self.agent_ids


class Subscriber:
    """One client's queue; any thread may add to it, one takes from it."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._texts: deque[str] = deque()
        self._ready = threading.Condition()
        self._max_waiting = max_waiting
        self._room = max_waiting
        self._filter: Filter | None = None
        self._after: tuple[int, int] = (0, 0)
        self._early: list[PublishedEvent] | None = None  # live ones, until the past is there
        self._has_gap = False  # among those
        self._answers = 0  # since nothing waited
        self._is_closed = False

    def say(self, text: str) -> None:
        """Queue an answer to this client alone.

        Raises:
            Flooded: Too many wait already.
        """
        with self._ready:
            self._answers += 1
            if self._answers > MAX_ANSWERS:
                raise Flooded
            self._texts.append(text)
            self._room += 1
            self._ready.notify()

    def listen(self, wanted: Filter) -> None:
        """Collect live events until `begin`, in place of whatever was wanted before."""
        with self._ready:
            self._filter = wanted
            self._early, self._has_gap = [], False
            self._texts.clear()

    def begin(self, answer: str, past: Iterable[PublishedEvent], last_id: str) -> None:
        """Queue an answer, past events, and after them the live ones collected since `listen`."""
        with self._ready:
            wanted = self._filter or Filter()
            self._after = position_of(last_id)
            self._texts = deque([answer, *(event.text for event in past if wanted.wants(event))])
            self._room = self._max_waiting + len(self._texts)
            early, self._early = self._early or [], None
            if self._has_gap:
                self._texts.append(RESYNC)
            for event in early:
                self._offer(event)
            self._ready.notify()

    def mute(self) -> None:
        """Collect no more events."""
        with self._ready:
            self._filter = self._early = None

    def offer(self, event: PublishedEvent) -> None:
        """Queue a live event if it is wanted; too many waiting become one `resync_required`."""
        with self._ready:
            if self._early is None:
                self._offer(event)
            elif len(self._early) < self._max_waiting:
                self._early.append(event)
            else:
                self._early, self._has_gap = [event], True
            self._ready.notify()

    def resync(self) -> None:
        """Drop what waits and tell the client to read the state anew."""
        with self._ready:
            if self._early is not None:
                self._early, self._has_gap = [], True
            elif self._filter is not None:
                self._resync()
            self._after = (0, 0)
            self._ready.notify()

    def close(self) -> None:
        """Wake whoever takes, and end it."""
        with self._ready:
            self._is_closed = True
            self._ready.notify()

    def __iter__(self) -> Iterator[str]:
        """What to send, waiting for more, until `close`."""
        while True:
            with self._ready:
                while not self._texts and not self._is_closed:
                    self._ready.wait()
                if self._is_closed:
                    return
                text = self._texts.popleft()
                if not self._texts:
                    self._answers = 0
            yield text

    def _offer(self, event: PublishedEvent) -> None:
        wanted = self._filter
        if wanted is None or event.position <= self._after or not wanted.wants(event):
            return
        if len(self._texts) >= self._room:
            self._resync()
        else:
            self._texts.append(event.text)

    def _resync(self) -> None:
        self._texts = deque([RESYNC])
        self._room = self._max_waiting


class FanOut:
    """Reads each event once and offers it to every subscriber of this process."""

    def __init__(self, redis_url: str) -> None:
        """Nothing connects before the first subscriber."""
        self.sent = 0
        """Messages written to this process's clients so far; whoever writes them counts."""

        self._redis_url = redis_url
        self._subscribers: set[Subscriber] = set()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._is_stopped = False
        self._last_id: str | None = None
        self._has_begun = threading.Event()

    def __len__(self) -> int:
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Offer events to a subscriber from now on; the first one starts the reader."""
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

    def remove(self, subscriber: Subscriber) -> None:
        """Offer it nothing more."""
        with self._lock:
            self._subscribers.discard(subscriber)

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
        for subscriber in self._all():
            subscriber.resync()

    def _dispatch(self, event: PublishedEvent) -> None:
        if self._last_id is not None and event.position <= position_of(self._last_id):
            return
        self._last_id = event.id
        for subscriber in self._all():
            subscriber.offer(event)

    def _all(self) -> list[Subscriber]:
        with self._lock:
            return list(self._subscribers)
