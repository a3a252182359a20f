"""The parts that are forked from the first process, and what they share with it."""

from collections.abc import Callable
from dataclasses import dataclass

from neonhub.config import Settings
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
