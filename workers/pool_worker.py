"""One worker of the pool, as RQ and the status see it."""

import logging
import os
import secrets
import socket
import time
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError

from neonhub.domain.states import QUEUES
from neonhub.redis.keys import WORKER_FAULT
from workers.plain import PlainJob, PlainSerializer

logger = logging.getLogger(__name__)

WORKER_TTL_SECONDS = 45
"""RQ forgets a worker that was silent for a minute longer."""

BEAT_SECONDS = 10.0


class PoolWorker(SimpleWorker):
    """Registers with RQ as any worker does; its jobs come and go through the pool.

    RQ's commands over pub/sub are off: a second stop command can kill a whole pool, and sessions
    are stopped through the database.
    """

    def __init__(self, connection: Redis) -> None:
        self._plain: dict[str, Any] = {"job_class": PlainJob, "serializer": PlainSerializer}
        self._beaten = -BEAT_SECONDS
        self._fault = ""
        super().__init__(
            [Queue(name, connection=connection, **self._plain) for name in QUEUES],
            name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            connection=connection,
            **self._plain,
            worker_ttl=WORKER_TTL_SECONDS,
        )

    def _set_ip_address(self, connection: Redis) -> None:
        try:
            super()._set_ip_address(connection)
        except ValueError:  # of a socket whose path has a space: more than redis-py can read
            self.ip_address = "unknown"

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that this worker is alive, if that was not said just now."""
        if pipeline is None and time.monotonic() - self._beaten < BEAT_SECONDS:
            return
        super().heartbeat(timeout, pipeline)
        self._beaten = time.monotonic()
        if pipeline is None and not self.connection.hexists(self.key, "birth"):
            self._register_again()

    def _register_again(self) -> None:
        """Redis was emptied: be listed as before."""
        self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]  # RQ has no types there
        super().set_state(self.get_state())
        self.connection.hset(self.key, WORKER_FAULT, self._fault)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Tell what this worker does, if that is something else."""
        if pipeline is not None or state != self.get_state():
            super().set_state(state, pipeline)

    def tell(self, fault: str | None) -> None:
        """Tell why this worker can't work, if that is something else; None: it can."""
        if (fault or "") != self._fault:
            self._fault = fault or ""
            self.connection.hset(self.key, WORKER_FAULT, self._fault)

    def set_aside(self, job_id: str, reason: str) -> None:
        """Let RQ keep a job that is not ours among its failed ones, for who looks for it."""
        try:
            job = PlainJob.fetch(job_id, self.connection, PlainSerializer)
            queue = Queue(job.origin, connection=self.connection, **self._plain)
            self.handle_job_failure(job, queue=queue, exc_string=reason)
        except NoSuchJobError:
            return  # it can't be read at all, which is said by then
        except Exception:
            logger.exception("Job %s is dropped.", job_id)
