"""Writes jobs while the database works, so that little is left to do when it has committed."""

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from neonhub.clock import utcnow
from neonhub.ids import new_id
from neonhub.redis.queues import Job, TimerMove, writing_of, written_keys

logger = logging.getLogger(__name__)


class JobsAhead:
    """The jobs of one transaction, and the timers that move with them.

    No worker sees them before they are handed over as a batch. A context around the transaction: if
    it fails, what was written is removed. What a process leaves that dies in it is never pushed,
    and goes as the jobs do that nobody finishes.
    """

    def __init__(self, redis: Redis) -> None:
        self.jobs: list[Job] = []
        self.moves: list[TimerMove] = []
        self.batch: str | None = None
        """What is to be handed over; None: nothing was written."""
        self._redis = redis
        self._connection: Any = None
        self._unanswered = 0
        self._is_whole = True

    def __enter__(self) -> Self:
        try:  # here, where nobody waits for a lock of the transaction
            self._connection = self._redis.connection_pool.get_connection()
        except RedisError as error:
            self._give_up(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._hear()
        if self._connection is not None:
            self._redis.connection_pool.release(self._connection)
        if kind is not None and self.batch is not None:
            self._drop(self.batch)

    def write(self, jobs: Sequence[Job], moves: Sequence[TimerMove] = ()) -> None:
        """Send to Redis and don't wait; what it may not have taken, `unwritten` returns."""
        self.jobs += jobs
        self.moves += moves
        self.batch = self.batch or new_id()
        if not self._is_whole:
            return
        try:
            for command in writing_of(self.batch, jobs, moves, now=utcnow()):
                self._connection.send_command(*command)
                self._unanswered += 1
        except RedisError as error:
            self._give_up(error)

    def unwritten(self) -> tuple[Sequence[Job], Sequence[TimerMove]]:
        """What is to be handed over in full: nothing, or all if some may not have been written."""
        return ((), ()) if self._is_whole else (self.jobs, self.moves)

    def _drop(self, batch: str) -> None:
        try:
            self._redis.unlink(*written_keys(batch, self.jobs))
        except RedisError as error:
            logger.warning("Jobs that are not to be pushed stay for a while: %s", error)

    def _hear(self) -> None:
        """Wait for what Redis answers; it has had the time of a transaction."""
        try:
            while self._unanswered:
                self._unanswered -= 1
                self._connection.read_response()
        except RedisError as error:
            self._give_up(error)

    def _give_up(self, error: RedisError) -> None:
        logger.warning("Jobs are not written ahead: %s", error)
        self._is_whole = False
        self._unanswered = 0
        if self._connection is not None:
            self._connection.disconnect()
