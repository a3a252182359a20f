"""A scheduler: fires what is due, puts right what a crash left behind, prunes what is old."""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from sqlalchemy.exc import DBAPIError

from neonhub.agents import AgentManager
from neonhub.clock import utcnow
from neonhub.config import Settings, require_redis_url
from neonhub.database import Database
from neonhub.domain.retention import Retention
from neonhub.execution.fleet import sync_fleet
from neonhub.execution.lifeline import Lifeline
from neonhub.process import be_punctual
from neonhub.redis.connect import connect
from neonhub.retention.pruned import Pruned
from neonhub.retention.pruning import REST_SECONDS, Pruning
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.options import SchedulerOptions
from neonhub.seeding import seed
from neonhub.startup import prepare_database, run_process

logger = logging.getLogger(__name__)

LIFELINE_SECONDS = 2.0
FIRST_PRUNING_SECONDS = 60.0
PRUNING_SECONDS = 3600.0
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
    scheduler = AgentScheduler(database, agents, options, redis=redis)
    pruning = Pruning(database, Retention(settings.keep_days, settings.keep_sessions))
    be_punctual()
    _schedule(scheduler, Lifeline(database, redis), pruning)
    database.close()


def _schedule(scheduler: AgentScheduler, lifeline: Lifeline, pruning: Pruning) -> None:
    stopping = threading.Event()
    work: dict[str, Callable[[], None]] = {
        "scheduler": scheduler.start,
        "lifeline": partial(keep_lifeline, lifeline, stopping),
        "pruning": partial(keep_pruned, pruning, stopping),
    }
    threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in work.items()]
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


def keep_pruned(
    pruning: Pruning,
    stopping: threading.Event,
    *,
    first_seconds: float = FIRST_PRUNING_SECONDS,
    every_seconds: float = PRUNING_SECONDS,
    rest_seconds: float = REST_SECONDS,
) -> None:
    """Prune every so often, in a thread of its own; others get at the database in every rest."""
    seconds = first_seconds
    while not stopping.wait(seconds):
        seconds = every_seconds
        removed = Pruned()
        try:
            for batch in pruning.run(utcnow()):
                removed += batch
                if stopping.wait(rest_seconds):
                    break
        except DBAPIError as error:
            logger.warning("Pruning waits for the database: %s", error)
        except Exception:
            logger.exception("Pruning failed; it is tried again later.")
        if removed:
            counts = {name: count for name, count in asdict(removed).items() if count}
            logger.info("Pruned what was past its time.", extra=counts)


if __name__ == "__main__":
    run_process("scheduler", run_scheduler)
