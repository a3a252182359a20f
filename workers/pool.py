"""The pool: a fixed number of workers in one process, and the agents' processes below it."""

import gc
import logging
import os
import signal
import time
from selectors import EVENT_READ

from redis import Redis
from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from neonhub.agents import AgentManager
from neonhub.config import Settings, require_redis_url
from neonhub.database import Database
from neonhub.execution.agent_traces import Recycling
from neonhub.execution.keeper import Keeper
from neonhub.redis.connect import connect
from neonhub.startup import prepare_database, run_process, wait_for_redis
from workers.intake import Call, Intake
from workers.pool_worker import PoolWorker

logger = logging.getLogger(__name__)

WAIT_SECONDS = 5.0
"""The longest sleep while nothing happens; heartbeats are due after twice as much."""

FAILED_STEP_SECONDS = 0.1
"""Between a step that failed and the next: one that fails again and again costs little."""

_END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Pool:
    """Workers that take jobs off the queues and run their sessions, as one keeper's seats."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        agents: AgentManager,
        size: int,
        *,
        recycling: Recycling,
    ) -> None:
        """
        Args:
            size: How many workers it has.
            recycling: When an agent's process is replaced though its last run left nothing.
        """
        self._workers = [PoolWorker(redis) for _ in range(size)]
        self._is_ending = False
        self._signals = -1  # a file that can be read once a signal came
        self._keeper = Keeper(
            database,
            redis,
            agents,
            [worker.name for worker in self._workers],
            recycling=recycling,
            is_shutting_down=lambda: self._is_ending,
        )
        self._intake = Intake(redis, self._keeper.selector, self._workers[0].set_aside)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, and see off what runs by then."""
        self._wake_on_signals()
        for worker in self._workers:
            worker.register_birth()  # type: ignore[no-untyped-call]  # RQ has no types there
        try:
            while not self._is_ending or self._keeper.is_busy:
                self._try_to_step()
        finally:
            self._intake.close()
            self._keeper.close()
            for worker in self._workers:
                worker.register_death()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        """Wait for what comes next, look after what runs, take what there is to do and begin it."""
        told = self._keeper.wait(self._seconds_to_wait())
        if self._signals in told:
            os.read(self._signals, 4096)
        if self._intake in told:
            self._intake.notice()
        self._keeper.attend(told)
        self._keeper.turn(self._next_jobs())
        self._tell()

    def _seconds_to_wait(self) -> float:
        """No time if there may be a job that nothing else tells of."""
        has_to_ask = self._keeper.free and not self._intake.is_waiting and not self._is_ending
        return self._intake.rest_seconds if has_to_ask else WAIT_SECONDS

    def _next_jobs(self) -> list[Call]:
        if self._is_ending:
            self._intake.close()
            return []
        return self._intake.take(self._keeper.free)

    def _try_to_step(self) -> None:
        """One step; what it fails at is left to the lifeline, and the others go on."""
        try:
            self.step()
        except Exception:
            logger.exception("A step of the pool failed; the next one follows.")
            time.sleep(FAILED_STEP_SECONDS)

    def _tell(self) -> None:
        """What each worker is at, where that has changed or has to be said again."""
        self._keeper.close_idle()
        try:
            for worker, seat in zip(self._workers, self._keeper.seats, strict=True):
                worker.set_state(WorkerStatus.BUSY if seat.claim else WorkerStatus.IDLE)
                worker.tell(self._keeper.starts.fault)
                worker.heartbeat()
        except RedisError as error:
            logger.warning("No heartbeat: %s", error)

    def _wake_on_signals(self) -> None:
        """Have a signal end the wait for what comes next."""
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        self._keeper.selector.register(reading, EVENT_READ, reading)
        self._signals = reading
        signal.set_wakeup_fd(writing)
        for signum in _END_SIGNALS:
            signal.signal(signum, self._end)

    def _end(self, *_: object) -> None:
        self._is_ending = True


def run_pool(settings: Settings) -> None:
    """Run the pool until it is asked to end.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    redis = connect(require_redis_url(settings))
    agents = AgentManager(settings.agent_modules)
    database = Database(settings.database_url, pool_size=1, by_key=True)
    prepare_database(database)
    wait_for_redis(redis)
    gc.collect()
    gc.freeze()  # what agents' processes share with this one is not touched by their collections
    recycling = Recycling(settings.runs_per_process, settings.process_growth_bytes)
    Pool(database, redis, agents, settings.pool_size, recycling=recycling).run()
    database.close()


if __name__ == "__main__":
    run_process("pool", run_pool)
