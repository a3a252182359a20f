"""One worker of the pool: RQ's own loop, with the keeper in its process."""

import logging
import os
import secrets
import socket
import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job

from neonhub.domain.states import QUEUES
from neonhub.redis.queues import ENTRY_POINT
from workers.jobs import hooks
from workers.plain import PlainJob, PlainSerializer

logger = logging.getLogger(__name__)

WORKER_TTL_SECONDS = 45
"""RQ forgets a worker that was silent for so long; it waits for jobs 15 s less at a time."""

BEAT_SECONDS = 10.0


class ForeignJob(Exception):
    """A job on our queues that is not ours."""


class PoolWorker(SimpleWorker):
    """Takes jobs as a stock worker does; the agent's own child process is the only fork.

    RQ's commands over pub/sub are off: a second stop command can kill a whole pool, and sessions
    are stopped through the database.
    """

    max_connection_wait_time = 5.0
    """Seconds between two tries while Redis is away; RQ goes up to a minute."""

    def __init__(self, connection: Redis) -> None:
        plain: dict[str, Any] = {"job_class": PlainJob, "serializer": PlainSerializer}
        super().__init__(
            [Queue(name, connection=connection, **plain) for name in QUEUES],
            name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            connection=connection,
            **plain,
            worker_ttl=WORKER_TTL_SECONDS,
        )
        self._beaten = time.monotonic()
        hooks.is_shutting_down = lambda: bool(self._stop_requested)
        hooks.beat = self._beat

    def _set_ip_address(self, connection: Redis) -> None:
        try:
            super()._set_ip_address(connection)
        except ValueError:  # of a socket whose path has a space: more than redis-py can read
            self.ip_address = "unknown"

    def subscribe(self) -> None:
        """No commands: see the class."""

    def unsubscribe(self) -> None:
        """No commands: see the class."""

    def perform_job(self, job: Job, queue: Queue, execution: Any) -> bool:
        """Run the one entry point; anything else fails with its reason."""
        try:
            _check(job)
        except Exception as error:
            logger.error("Job %s is set aside: %s", job.id, error)
            self.handle_job_failure(job, queue=queue, exc_string=str(error), execution=execution)
            return False
        return bool(super().perform_job(job, queue, execution))

    def _beat(self) -> None:
        """Say that this worker is alive while its agent runs."""
        if time.monotonic() - self._beaten < BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        try:
            self.heartbeat()
        except RedisError as error:
            logger.warning("No heartbeat: %s", error)


def _check(job: Job) -> None:
    """Refuse a job that is not ours.

    Raises:
        ForeignJob: It names another function, or its arguments are not a session and an attempt.
        pickle.UnpicklingError: It holds more than plain data.
    """
    if job.func_name != ENTRY_POINT or job.instance is not None:
        raise ForeignJob(f"only {ENTRY_POINT} runs here, not {job.func_name!r}")
    match job.args, job.kwargs:
        case (str(), int()), {**rest} if not rest:
            return
    raise ForeignJob(f"its arguments are not (session_id, attempt): {job.args!r}")
