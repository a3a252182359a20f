"""One client: what it wants to hear, and the bounded queue of what waits for it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from neonhub.events.event import RESYNC_FRAME, PublishedEvent, position_of

MAX_WAITING = 1000
"""Events that wait for one client before it is told to resync."""

MAX_ANSWERS = 1000
"""Answers that wait for one client before it counts as a flood."""


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


def _nobody_asks() -> None:
    """Nobody sends yet, or any more."""


class Subscriber:
    """One client's queue of frames; any thread may add to it, one at a time takes from it."""

    __slots__ = (
        *("on_waiting", "_after", "_answers", "_early", "_filter", "_frames", "_has_gap"),
        *("_lock", "_max_waiting", "_room", "__weakref__"),
    )

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self.on_waiting: Callable[[], None] = _nobody_asks
        """Called, without the lock, by whoever added something."""

        self._frames: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._max_waiting = max_waiting
        self._room = max_waiting
        self._filter: Filter | None = None
        self._after: tuple[int, int] = (0, 0)
        self._early: list[PublishedEvent] | None = None  # live ones, until the past is there
        self._has_gap = False  # among those
        self._answers = 0  # since nothing waited

    def say(self, frame: bytes) -> None:
        """Queue an answer to this client alone.

        Raises:
            Flooded: Too many wait already.
        """
        with self._lock:
            self._answers += 1
            if self._answers > MAX_ANSWERS:
                raise Flooded
            self._frames.append(frame)
            self._room += 1
        self.on_waiting()

    def listen(self, wanted: Filter) -> None:
        """Collect live events until `begin`, in place of whatever was wanted before."""
        with self._lock:
            self._filter = wanted
            self._early, self._has_gap = [], False
            self._frames.clear()

    def begin(self, answer: bytes, past: Iterable[PublishedEvent], last_id: str) -> None:
        """Queue an answer, past events, and after them the live ones collected since `listen`."""
        with self._lock:
            wanted = self._filter or Filter()
            self._after = position_of(last_id)
            self._frames.clear()
            self._frames.append(answer)
            self._frames.extend(event.frame for event in past if wanted.wants(event))
            self._room = self._max_waiting + len(self._frames)
            early, self._early = self._early or [], None
            if self._has_gap:
                self._frames.append(RESYNC_FRAME)
            for event in early:
                self._offer(event)
        self.on_waiting()

    def mute(self) -> None:
        """Collect no more events."""
        with self._lock:
            self._filter = self._early = None

    def offer(self, event: PublishedEvent) -> None:
        """Queue a live event if it is wanted; too many waiting become one `resync_required`."""
        with self._lock:
            if self._early is None:
                self._offer(event)
            elif len(self._early) < self._max_waiting:
                self._early.append(event)
            else:
                self._early, self._has_gap = [event], True
        self.on_waiting()

    def resync(self) -> None:
        """Drop what waits and tell the client to read the state anew."""
        with self._lock:
            if self._early is not None:
                self._early, self._has_gap = [], True
            elif self._filter is not None:
                self._resync()
            self._after = (0, 0)
        self.on_waiting()

    def take(self) -> bytes | None:
        """The next frame to send, which is then no more in the queue; None if nothing waits."""
        try:
            return self._frames.popleft()  # in one step: no lock, for this is once per client
        except IndexError:
            self._answers = 0
            return None

    def close(self) -> None:
        """Drop what waits; nobody takes it any more."""
        with self._lock:
            self.on_waiting = _nobody_asks
            self._filter = self._early = None
            self._frames.clear()

    def _offer(self, event: PublishedEvent) -> None:
        wanted = self._filter
        if wanted is None or event.position <= self._after or not wanted.wants(event):
            return
        if len(self._frames) >= self._room:
            self._resync()
        else:
            self._frames.append(event.frame)

    def _resync(self) -> None:
        self._frames.clear()
        self._frames.append(RESYNC_FRAME)
        self._room = self._max_waiting
