"""What every process does before its own work: settings, logs, error reports, the schema."""

import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from neonhub.config import Settings, load_settings, prepare_folders
from neonhub.database import Database
from neonhub.errors import ConfigError
from neonhub.migrations import is_up_to_date, migrate
from neonhub.observability.error_reports import start_error_reports
from neonhub.observability.logs import configure_logging
from neonhub.process import run_apart

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

EXIT_WRONG_SETTING = 78
"""A process that ends so is not started again; the number is sysexits' EX_CONFIG."""

RETRY_SECONDS = 1.0


def run_process(process: str, main: Callable[[Settings], None]) -> None:
    """Run a process's main function with checked settings, logs and error reports.

    A wrong setting ends the process with its one line and `EXIT_WRONG_SETTING`, no traceback.

    Args:
        process: Named in logs and reports: web, scheduler, pool, …
    """
    try:
        settings = load_settings()
        configure_logging(settings, process=process)
        start_error_reports(settings, process=process)
        prepare_folders(settings)
        main(settings)
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        sys.exit(EXIT_WRONG_SETTING)


def prepare_database(
    database: Database,
    *,
    apart: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Bring the database to the newest schema, and wait for it as long as it is away.

    Args:
        apart: Whether a child migrates it; a process with threads or greenlets can have none.
        should_stop: Asked before each try.
        sleep: Waits so many seconds before the next try.

    Returns:
        Whether it is ready; False if asked to stop first.
    """
    sentence = "The database does not answer; trying on"
    attempt = partial(_migrate_apart if apart else migrate, database)
    return _wait(sentence, attempt, DBAPIError, should_stop, sleep)


def _migrate_apart(database: Database) -> None:
    """Migrate in a child: it takes 13 MB, which this process would keep as long as it runs."""
    if is_up_to_date(database):
        return
    database.close()
    run_apart(partial(migrate, database))
    migrate(database)  # what stopped the child stops this process, and is raised


def wait_for_redis(redis: "Redis", *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait for Redis as long as it is away.

    Args:
        sleep: Waits so many seconds before the next try.
    """
    # Imported only now: what forks the web process must not have loaded it before.
    away = import_module("redis.exceptions").RedisError
    _wait("Redis does not answer; trying on", redis.ping, away, lambda: False, sleep)


def _wait(
    sentence: str,
    attempt: Callable[[], object],
    away: type[Exception],
    should_stop: Callable[[], bool],
    sleep: Callable[[float], None],
) -> bool:
    """Try until the server answers, and tell each new reason why it doesn't."""
    reported = ""
    while not should_stop():
        try:
            attempt()
        except away as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            reason = str(cause).strip().partition("\n")[0]
            if reason != reported:
                logger.error("%s: %s", sentence, reason)
            reported = reason
            sleep(RETRY_SECONDS)
        else:
            return True
    return False
