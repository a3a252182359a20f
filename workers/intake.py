"""What the pool takes off the four queues, and how it waits for more."""

import logging
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from neonhub.redis.keys import QUEUES
from neonhub.redis.queues import ENTRY_POINT
from neonhub.redis.scripts import script
from workers.plain import PlainSerializer

logger = logging.getLogger(__name__)

WAIT_SECONDS = 10
"""How long the server lets one wait for a job last."""

SILENCE_SECONDS = 5.0
"""How much longer it may take to answer, before the connection is taken for dead."""

RETRY_SECONDS = 0.5
"""Between two tries while Redis is away."""

_QUEUE_KEYS = [f"rq:queue:{queue}" for queue in QUEUES]


class ForeignJob(Exception):
    """A job on our queues that is not ours."""


Call = tuple[str, int]
"""What a job of ours is for: a session and one of its attempts."""


class Intake:
    """Takes jobs, and waits for one with a selector, beside whatever else is waited for.

    A job is off its queue once it is taken: what a pool that dies had taken, the lifeline pushes
    again.
    """

    def __init__(
        self, redis: Redis, selector: BaseSelector, set_aside: Callable[[str, str], None]
    ) -> None:
        """
        Args:
            selector: Learns of the connection that waits; this object is the key's `data`.
            set_aside: Takes the id of a job that is not ours, and what is wrong with it.
        """
        self._redis = redis
        self._selector = selector
        self._set_aside = set_aside
        self._waiting: Any = None  # redis-py's connection
        self._socket: Any = None
        self._answer_by = 0.0
        self._retry_at = 0.0
        self._is_away = False
        self._popped: list[str] = []
        self._done: list[str] = []

    def take(self, count: int) -> list[Call]:
        """The next jobs, the most urgent first; those that are not ours are set aside.

        Where fewer are there than asked for, it begins to wait for one.

        Args:
            count: How many at most, beside one that was waited for.
        """
        self._see_silence()
        if count <= 0 or self.is_waiting or time.monotonic() < self._retry_at:
            return []
        try:
            jobs = self._take(count - len(self._popped))
            if len(jobs) < count:
                self._wait()
            self._is_away = False
        except RedisError as error:
            self._put_off(error)
            return []
        return [call for job_id, data in jobs if (call := self._read(job_id, data)) is not None]

    def notice(self) -> None:
        """The connection that waits has something to say."""
        if self._waiting is None:
            return
        try:
            answer: list[bytes] | None = self._waiting.read_response()
        except RedisError as error:
            self._put_off(error)
            return
        if answer is not None:
            self._popped.append(answer[1].decode())
        self._stop_waiting(is_sound=True)

    @property
    def is_waiting(self) -> bool:
        """Whether the server will say when there is a job."""
        return self._waiting is not None

    @property
    def rest_seconds(self) -> float:
        """How long Redis is to be left alone, as it is away; 0: it isn't."""
        return max(0.0, self._retry_at - time.monotonic())

    def close(self) -> None:
        """Wait no more; what the server hands out just now is pushed again by the lifeline."""
        self._stop_waiting(is_sound=False)

    def _take(self, count: int) -> list[tuple[str, bytes]]:
        args: list[int | str] = [count, len(self._popped), *self._popped, *self._done]
        found = cast(list[bytes], script(self._redis, "take_jobs")(keys=_QUEUE_KEYS, args=args))
        self._popped.clear()
        self._done.clear()
        return [(found[n].decode(), found[n + 1]) for n in range(0, len(found), 2)]

    def _read(self, job_id: str, data: bytes) -> Call | None:
        try:
            call = _call_of(data)
        except Exception as error:
            logger.error("Job %s is set aside: %s", job_id, error)
            self._set_aside(job_id, str(error))
            return None
        self._done.append(job_id)
        return call

    def _see_silence(self) -> None:
        """Give up a connection whose server should have answered by now."""
        if self.is_waiting and time.monotonic() >= self._answer_by:
            self._put_off(TimeoutError("Redis does not answer"))

    def _wait(self) -> None:
        self._waiting = self._redis.connection_pool.get_connection()
        self._waiting.send_command("BLPOP", *_QUEUE_KEYS, WAIT_SECONDS)
        self._answer_by = time.monotonic() + WAIT_SECONDS + SILENCE_SECONDS
        # redis-py has no public way to wait for an answer beside other things.
        self._socket = self._waiting._sock
        self._selector.register(self._socket, EVENT_READ, self)

    def _stop_waiting(self, *, is_sound: bool) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket = None
        if self._waiting is not None:
            if not is_sound:
                self._waiting.disconnect()
            self._redis.connection_pool.release(self._waiting)
            self._waiting = None

    def _put_off(self, error: Exception) -> None:
        self._stop_waiting(is_sound=False)
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._is_away:
            logger.warning("The pool waits for Redis: %s", error)
        self._is_away = True


def _call_of(data: bytes) -> Call:
    """The session and the attempt that a job of ours is for.

    Raises:
        ForeignJob: It names another function, or its arguments are not a session and an attempt.
        pickle.UnpicklingError: It can't be read, or holds more than plain data.
    """
    with suppress(zlib.error):  # as RQ reads it: our own pushes are not compressed
        data = zlib.decompress(data)
    function, instance, args, kwargs = PlainSerializer.loads(data)
    if function != ENTRY_POINT or instance is not None:
        raise ForeignJob(f"only {ENTRY_POINT} runs here, not {function!r}")
    match args, kwargs:
        case (str(session_id), int(attempt)), {**rest} if not rest:
            return session_id, attempt
    raise ForeignJob(f"its arguments are not (session_id, attempt): {args!r}")
