"""The limits all processes share, and who writes them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import func, select

from neonhub.config import Settings, load_settings
from neonhub.database import Database
from neonhub.execution.fleet import get_fleet, sync_fleet
from neonhub.models import Fleet, Slot

AT_ONCE = 4


@pytest.fixture
def settings() -> Settings:
    return replace(load_settings({}), max_concurrent=3)


def test_the_last_to_start_wins(database: Database, settings: Settings) -> None:
    sync_fleet(database, settings)
    sync_fleet(database, replace(settings, max_concurrent=2, max_memory_bytes=1_000_000))

    assert _limits(database) == (2, 1_000_000)
    assert _slots(database) == 2


def test_a_restart_keeps_the_pause_and_the_count(database: Database, settings: Settings) -> None:
    sync_fleet(database, settings)
    with database.begin() as db:
        fleet = get_fleet(db, lock=True)
        fleet.pause_reason, fleet.fired_total = "on holiday", 7

    sync_fleet(database, settings)

    with database.read() as db:
        fleet = get_fleet(db)
        assert (fleet.pause_reason, fleet.fired_total) == ("on holiday", 7)


def test_processes_started_at_once_all_write_them(database: Database, settings: Settings) -> None:
    together = Barrier(AT_ONCE)

    def start() -> None:
        # Connected before, so that all meet at a table without the row.
        with database.read() as db:
            assert db.get(Fleet, 1) is None
            together.wait()
        sync_fleet(database, settings)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for future in [threads.submit(start) for _ in range(AT_ONCE)]:
            future.result()

    assert _limits(database) == (3, None)
    assert _slots(database) == 3


def _limits(database: Database) -> tuple[int, int | None]:
    with database.read() as db:
        fleet = get_fleet(db)
        return fleet.max_concurrent, fleet.max_memory_bytes


def _slots(database: Database) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(Slot)) or 0
