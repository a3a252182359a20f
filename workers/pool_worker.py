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
from rq.worker import WorkerStatus

from neonhub.domain.states import QUEUES
from neonhub.redis.queues import ENTRY_POINT
from workers.jobs import close_if_idle, hooks, run
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
        self._beaten = -BEAT_SECONDS
        super().__init__(
            [Queue(name, connection=connection, **plain) for name in QUEUES],
            name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            connection=connection,
            **plain,
            worker_ttl=WORKER_TTL_SECONDS,
        )
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

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the one entry point; anything else fails with its reason.

        RQ's record of running jobs is left out: a session's own is in the database, and what a
        worker drops as it dies, the lifeline pushes again.
        """
        try:
            session_id, attempt = _call(job)
        except Exception as error:
            logger.error("Job %s is set aside: %s", job.id, error)
            self.handle_job_failure(job, queue=queue, exc_string=str(error))
            return
        self.connection.delete(job.key)
        self.set_state(WorkerStatus.BUSY)
        try:
            run(session_id, attempt, self.connection, self.name)
        except Exception:
            logger.exception("Session %s is left to the lifeline.", session_id)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that this worker is alive, if that was not said just now."""
        if pipeline is None and time.monotonic() - self._beaten < BEAT_SECONDS:
            return
        super().heartbeat(timeout, pipeline)
        self._beaten = time.monotonic()
        if pipeline is None and not self.connection.hexists(self.key, "birth"):
            self._register_again()
        close_if_idle()

    def _register_again(self) -> None:
        """Redis was emptied: be listed as before."""
        self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]  # RQ has no types there
        super().set_state(self.get_state())

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Tell what this worker does, if that is something else."""
        if pipeline is not None or state != self.get_state():
            super().set_state(state, pipeline)

    def _beat(self) -> None:
        """Say that this worker is alive while its agent runs."""
        try:
            self.heartbeat()
        except RedisError as error:
            logger.warning("No heartbeat: %s", error)


def _call(job: Job) -> tuple[str, int]:
    """The session and the attempt that a job of ours is for.

    Raises:
        ForeignJob: It names another function, or its arguments are not a session and an attempt.
        pickle.UnpicklingError: It holds more than plain data.
    """
    if job.func_name != ENTRY_POINT or job.instance is not None:
        raise ForeignJob(f"only {ENTRY_POINT} runs here, not {job.func_name!r}")
    match job.args, job.kwargs:
        case (str(session_id), int(attempt)), {**rest} if not rest:
            return session_id, attempt
    raise ForeignJob(f"its arguments are not (session_id, attempt): {job.args!r}")
