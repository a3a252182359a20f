"""The instants schedules and retries are due at, in a sorted set of rq-scheduler's kind."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError
from rq_scheduler import Scheduler

from neonhub.redis import keys
from neonhub.redis.queues import TimerMove, hand_over
from neonhub.redis.scripts import script

TICK = "tick:"
RETRY = "retry:"

VISIBILITY_SECONDS = 5.0
"""After this long a claim that nobody settled comes due again."""

CLAIM_LIMIT = 2000
"""Timers of one batch: so many more wait, at most, before one that is more urgent."""

_CHUNK = 1000


class Claim(NamedTuple):
    """A timer that came due, taken by this scheduler for a few seconds."""

    member: str
    claimed_score: float  # what it carries until it is settled, or comes due again
    due_score: float  # unix second it was due at


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one look at the timers found."""

    claims: list[Claim]
    next_score: float | None  # of the nearest timer left, unix seconds; None: there is none
    is_emptied: bool  # Redis lost everything since the marker was set


class Timers(Scheduler):  # type: ignore[misc]  # rq-scheduler ships no types
    """The timers of all schedules and retries.

    rq-scheduler's sorted set, birth, heartbeat and death are used as they are; its firing, lock
    and clock are not. A member is `tick:<schedule>` or `retry:<session>`, the score its instant.
    """

    scheduled_jobs_key = keys.TIMERS
    redis_scheduler_namespace_prefix = keys.SCHEDULER_PREFIX

    def __init__(self, redis: Redis, *, name: str | None = None, beat_seconds: int = 5) -> None:
        """
        Args:
            name: What this scheduler is called in the status; made up if None.
            beat_seconds: Its entry goes 10 seconds after a beat that is so late.
        """
        super().__init__(connection=redis, name=name, interval=beat_seconds)
        self.entry_seconds = beat_seconds + 10
        """After so long without a beat its entry goes, as rq-scheduler has it."""
        self._redis = redis
        self._pubsub: PubSub | None = None
        self._claim = script(redis, "claim_timers")

    def add(self, member: str, at: datetime) -> None:
        """Set a timer, wherever it was before; wakes the schedulers if it is the nearest.

        Raises:
            redis.exceptions.RedisError: Redis did not take it.
        """
        hand_over(self._redis, [], [TimerMove(member, None, at.timestamp())])

    def add_missing(self, scores: Mapping[str, float]) -> int:
        """Set many timers, but leave those that are due earlier already.

        A timer that is too early costs a look at the database, one that is late delays a tick.

        Args:
            scores: Member → unix seconds.

        Returns:
            How many were set.
        """
        items = list(scores.items())
        changed = 0
        for start in range(0, len(items), _CHUNK):
            chunk: dict[Any, float] = dict(items[start : start + _CHUNK])
            changed += cast(int, self._redis.zadd(keys.TIMERS, chunk, lt=True, ch=True))
        if changed:
            self.wake()
        return changed

    def bring_forward(self, members: Sequence[str], now: datetime) -> None:
        """Have due timers claimed before all others, in the order given; claims stay as they are.

        One that is edited meanwhile comes due too early: that costs a look at the database.
        """
        if not members:
            return
        scores = self._redis.zmscore(keys.TIMERS, list(members))
        due: dict[Any, float] = {
            member: float(place)
            for place, (member, score) in enumerate(zip(members, scores, strict=True))
            if score is not None and score <= now.timestamp()
        }
        if due:
            self._redis.zadd(keys.TIMERS, due, xx=True, lt=True)

    def remove(self, *members: str) -> None:
        """Remove timers; those that are not there do no harm."""
        raw = [member.encode(errors="surrogateescape") for member in members]
        if raw:
            self._redis.zrem(keys.TIMERS, *raw)

    def claim(
        self,
        now: datetime,
        limit: int = CLAIM_LIMIT,
        *,
        visibility_seconds: float = VISIBILITY_SECONDS,
    ) -> Claimed:
        """Take what is due, so that no other scheduler does.

        Args:
            now: Timezone-aware instant that decides what is due.
            limit: Timers to take at most, the longest due first.
            visibility_seconds: After this long an unsettled claim comes due again.
        """
        until = now.timestamp() + visibility_seconds
        present, nearest, due = cast(
            list[Any],
            self._claim(
                keys=[keys.TIMERS, keys.MARKER],
                args=[repr(now.timestamp()), repr(until), limit],
            ),
        )
        taken = json.loads(due.decode(errors="surrogateescape") or "[]")
        claims = [
            Claim(member, until, float(score))
            for member, score in zip(taken[::2], taken[1::2], strict=True)
        ]
        return Claimed(claims, float(nearest) if nearest else None, not present)

    def next_score(self) -> float | None:
        """The unix second of the nearest timer; None if there is none."""
        nearest = cast(
            list[tuple[bytes, float]], self._redis.zrange(keys.TIMERS, 0, 0, withscores=True)
        )
        return nearest[0][1] if nearest else None

    def count(self, until: Any = "+inf") -> int:
        """How many timers are due until a unix second; by default all."""
        return self._redis.zcount(keys.TIMERS, "-inf", until)

    def mark_alive(self) -> None:
        """Set the marker whose absence means that Redis was emptied."""
        self._redis.set(keys.MARKER, b"1")

    def listen(self) -> None:
        """Start to hear of nearer timers; one set from now on ends the next `wait`."""
        if self._pubsub is None:
            pubsub: PubSub = self._redis.pubsub(ignore_subscribe_messages=True)
            pubsub.subscribe(keys.WAKE)
            self._pubsub = pubsub
            # The server's answer: what is published after it is heard.
            pubsub.get_message(timeout=_ANSWER_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Wait until a nearer timer is set, or the time is over.

        Returns:
            Whether a timer was set.

        Raises:
            redis.exceptions.RedisError: Redis is away; `listen` again.
        """
        self.listen()
        assert self._pubsub is not None
        until = time.monotonic() + seconds
        whole = max(int(seconds * 1000), 0) / 1000
        try:
            is_woken = self._pubsub.get_message(timeout=whole) is not None
        except RedisError:
            self.stop_listening()
            raise
        if not is_woken:  # sockets wait for whole milliseconds, rounded up: the rest is slept
            time.sleep(min(max(until - time.monotonic(), 0.0), 0.001))
        return is_woken

    def forget_wakes(self) -> None:
        """Drop wakes that came so far; call it before looking at the timers."""
        self.listen()
        assert self._pubsub is not None
        try:
            while self._pubsub.get_message(timeout=0) is not None:
                continue
        except RedisError:
            self.stop_listening()
            raise

    def wake(self) -> None:
        """Make every scheduler look at the timers now."""
        self._redis.publish(keys.WAKE, b"")

    def stop_listening(self) -> None:
        """Close the subscription."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None


_ANSWER_SECONDS = 5.0
