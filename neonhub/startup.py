"""What every process does before its own work: settings, logs, error reports, the schema."""

import logging
import sys
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from neonhub.config import Settings, load_settings, prepare_folders
from neonhub.database import Database
from neonhub.errors import ConfigError
from neonhub.migrations import migrate
from neonhub.observability.error_reports import start_error_reports
from neonhub.observability.logs import configure_logging

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
    should_stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Bring the database to the newest schema, and wait for it as long as it is away.

    Args:
        should_stop: Asked before each try.
        sleep: Waits so many seconds before the next try.

    Returns:
        Whether it is ready; False if asked to stop first.
    """
    reported = ""
    while not should_stop():
        try:
            migrate(database)
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            if reason != reported:
                logger.error("The database does not answer; trying on: %s", reason)
            reported = reason
            sleep(RETRY_SECONDS)
        else:
            return True
    return False


def wait_for_redis(redis: Redis, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait for Redis as long as it is away.

    Args:
        sleep: Waits so many seconds before the next try.
    """
    reported = ""
    while True:
        try:
            redis.ping()
        except RedisError as error:
            if str(error) != reported:
                logger.error("Redis does not answer; trying on: %s", error)
            reported = str(error)
            sleep(RETRY_SECONDS)
        else:
            return
