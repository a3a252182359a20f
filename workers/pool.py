"""The pool: a fixed number of workers, each replaced when it dies, all ended with it."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from neonhub.agents import AgentManager
from neonhub.config import Settings, require_redis_url
from neonhub.database import Database
from neonhub.execution.agent_traces import Recycling
from neonhub.process import die_with_parent
from neonhub.redis.connect import connect_blocking
from neonhub.startup import prepare_database, run_process, wait_for_redis
from workers.jobs import close, hooks
from workers.pool_worker import PoolWorker

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 8.0
"""How long workers may take to end after SIGTERM before they are killed."""

RESTART_SECONDS = 1.0
"""A worker that died is replaced after this long, so that a broken one doesn't spin."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Pool:
    """Keeps `size` worker processes alive."""

    def __init__(self, size: int, work: Callable[[], None]) -> None:
        """
        Args:
            work: What each worker process does until it is asked to end.
        """
        self._size = size
        self._work = work
        self._pids: set[int] = set()
        self._start_at: float | None = None

    @property
    def pids(self) -> frozenset[int]:
        """The worker processes that are alive, as far as the last step saw."""
        return frozenset(self._pids)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then end every worker."""
        # Signals are waited for, not handled: nothing interrupts a step half-way.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while not self._is_asked_to_end():
            self.step()
        self.end()

    def step(self) -> None:
        """Reap workers that died, and start those that are missing."""
        while (pid := self._reap()) is not None:
            logger.warning("Worker process %d has ended; another takes its place.", pid)
            # Set by the first death: those that follow don't put it off.
            self._start_at = self._start_at or time.monotonic() + RESTART_SECONDS
        if self._start_at is None or time.monotonic() >= self._start_at:
            while len(self._pids) < self._size:
                self._pids.add(self._fork())
            self._start_at = None

    def end(self) -> None:
        """Ask the workers to end; kill those that don't in time."""
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        self._signal_all(signal.SIGTERM)
        while self._pids and time.monotonic() < deadline:
            signal.sigtimedwait([signal.SIGCHLD], 0.2)
            while self._reap() is not None:
                continue
        self._signal_all(signal.SIGKILL)

    def _is_asked_to_end(self) -> bool:
        received = signal.sigtimedwait(_SIGNALS, RESTART_SECONDS if self._pids else 0)
        return received is not None and received.si_signo != signal.SIGCHLD

    def _reap(self) -> int | None:
        if not self._pids:
            return None
        pid, _ = os.waitpid(-1, os.WNOHANG)
        self._pids.discard(pid)
        return pid or None

    def _signal_all(self, signum: int) -> None:
        for pid in self._pids:
            os.kill(pid, signum)

    def _fork(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._work()
            status = 0
        except Exception:
            logger.exception("A worker of the pool could not go on.")
        finally:
            sys.stderr.flush()
            os._exit(status)


def run_pool(settings: Settings) -> None:
    """Run the pool until it is asked to end.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    require_redis_url(settings)
    AgentManager(settings.agent_modules)
    database = Database(settings.database_url)
    prepare_database(database)
    database.close()
    Pool(settings.pool_size, lambda: work(settings)).run()


def work(settings: Settings) -> None:
    """One worker: take jobs until asked to end."""
    hooks.recycling = Recycling(settings.runs_per_process, settings.process_growth_bytes)
    redis = connect_blocking(require_redis_url(settings))
    wait_for_redis(redis)
    worker = PoolWorker(redis)
    # RQ tells of every job twice; what matters of a session is in its own log.
    try:
        worker.work(logging_level=logging.getLevelName(logging.getLogger("rq").level))
    finally:
        close()


if __name__ == "__main__":
    run_process("pool", run_pool)
