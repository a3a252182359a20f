"""A scheduler: fires what is due, and puts right what a crash left behind."""

import logging
import signal
import threading

from neonhub.agents import AgentManager
from neonhub.clock import utcnow
from neonhub.config import Settings, require_redis_url
from neonhub.database import Database
from neonhub.execution.fleet import sync_fleet
from neonhub.execution.lifeline import Lifeline
from neonhub.redis.connect import connect
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.options import SchedulerOptions
from neonhub.seeding import seed
from neonhub.startup import prepare_database, run_process

logger = logging.getLogger(__name__)

LIFELINE_SECONDS = 2.0
END_SECONDS = 5.0
"""How long the last step of each thread may take at the end."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_scheduler(settings: Settings) -> None:
    """Schedule until SIGTERM or SIGINT.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    redis = connect(require_redis_url(settings))
    agents = AgentManager(settings.agent_modules)
    database = Database(settings.database_url)
    # Signals are waited for, not handled: nothing interrupts a step half-way.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    if not prepare_database(database, should_stop=_is_asked_to_end):
        return
    sync_fleet(database, settings)
    seed(database, max_retries=settings.max_retries, now=utcnow())
    options = SchedulerOptions.from_settings(settings)
    _schedule(AgentScheduler(database, agents, options, redis=redis), Lifeline(database, redis))
    database.close()


def _schedule(scheduler: AgentScheduler, lifeline: Lifeline) -> None:
    stopping = threading.Event()
    threads = (
        threading.Thread(target=scheduler.start, name="scheduler", daemon=True),
        threading.Thread(
            target=keep_lifeline, args=(lifeline, stopping), name="lifeline", daemon=True
        ),
    )
    for thread in threads:
        thread.start()
    signal.sigwait(_SIGNALS)
    scheduler.stop()
    stopping.set()
    for thread in threads:
        thread.join(END_SECONDS)


def _is_asked_to_end() -> bool:
    return not signal.sigpending().isdisjoint(_SIGNALS)


def keep_lifeline(
    lifeline: Lifeline, stopping: threading.Event, *, every_seconds: float = LIFELINE_SECONDS
) -> None:
    """Step every few seconds, in a thread of its own: firing waits for none of it."""
    while not stopping.wait(every_seconds):
        try:
            lifeline.step(utcnow())
        except Exception:
            logger.exception("A step of the lifeline failed; the next one follows.")


if __name__ == "__main__":
    run_process("scheduler", run_scheduler)
