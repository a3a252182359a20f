"""The parts that are forked from the first process, and what they share with it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import configure_mappers

from neonhub.config import Settings
from neonhub.database import Database
from workers.pool import run_pool
from workers.scheduler import run_scheduler


@dataclass(frozen=True, slots=True)
class Role:
    """A part that shares the first process's memory, and runs alone as `python -m module`."""

    name: str
    module: str
    main: Callable[[Settings], None]


FORKED = (
    Role("scheduler", "workers.scheduler", run_scheduler),
    Role("pool", "workers.pool", run_pool),
)


def load_what_is_shared(settings: Settings) -> tuple[Role, ...]:
    """Make now what each forked part would make for itself: then it is in memory once.

    Returns:
        The parts to fork.
    """
    Database(settings.database_url).close()  # loads dialect and driver; connects to nothing
    configure_mappers()
    return FORKED
