"""What a keeper passes through Redis while agents run: progress, and the wish to stop them."""

import logging
import time
from collections.abc import Sequence
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from neonhub.events import Event, publish
from neonhub.redis.keys import STOP_PREFIX

logger = logging.getLogger(__name__)

REST_SECONDS = 2.0
"""How long Redis is left alone once it did not answer: the leases of all agents would wait."""


class LiveLink:
    """Tells progress and hears of stops; while Redis is away both wait, as the database has all."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._rest_until = 0.0

    def tell(self, events: Sequence[Event]) -> None:
        """Publish progress; what Redis doesn't take is gone."""
        if events and self._is_there():
            try:
                publish(self._redis, events)
            except RedisError as error:
                self._leave_alone(error)

    def stopped(self, session_ids: Sequence[str]) -> set[str]:
        """Those of the sessions that somebody asked to stop, as far as Redis knows."""
        if not session_ids or not self._is_there():
            return set()
        try:
            keys = [STOP_PREFIX + session_id for session_id in session_ids]
            flags = cast(list[bytes | None], self._redis.mget(keys))
        except RedisError as error:
            self._leave_alone(error)
            return set()  # the next renewal reads the same from the database
        return {key for key, flag in zip(session_ids, flags, strict=True) if flag is not None}

    def _is_there(self) -> bool:
        return time.monotonic() >= self._rest_until

    def _leave_alone(self, error: RedisError) -> None:
        logger.warning("Progress and stops wait for Redis: %s", error)
        self._rest_until = time.monotonic() + REST_SECONDS
