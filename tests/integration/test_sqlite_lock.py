"""A greenlet that waits for SQLite's lock holds up none of the others."""

import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from neonhub import database as database_module
from neonhub.database import CHECKPOINT_PAGES, Database

SECONDS = 5


@pytest.fixture(autouse=True)
def yielding_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleep as a process does that gevent has patched."""
    monkeypatch.setattr(time, "sleep", gevent.sleep)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'shared.db'}")
    with database.begin() as db:
        db.execute(text("CREATE TABLE written (number INTEGER)"))
    yield database
    database.close()


@pytest.fixture
def web(scheduler: Database) -> Iterator[Database]:
    database = Database(str(scheduler.engine.url), greenlets=True)
    yield database
    database.close()


def test_a_reader_is_served_while_a_writer_waits(scheduler: Database, web: Database) -> None:
    with scheduler.begin() as db:
        _write(db)
        writer = gevent.spawn(_write_once, web)
        gevent.sleep(0)
        assert gevent.spawn(_count, web).get(timeout=SECONDS) == 0
        assert not writer.ready()
    writer.get(timeout=SECONDS)
    assert _count(web) == 2


def test_a_writer_gives_up_in_the_end(
    scheduler: Database, web: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 20)
    with scheduler.begin() as db:
        _write(db)
        with pytest.raises(OperationalError, match="locked"):
            _write_once(web)
    _write_once(web)


def test_the_scheduler_copies_the_log_into_the_database_first(
    scheduler: Database, web: Database
) -> None:
    pages = []
    for database in (scheduler, web):
        with database.read_rows() as connection:
            pages.append(connection.scalar(text("PRAGMA wal_autocheckpoint")))
    assert pages == [CHECKPOINT_PAGES, 2 * CHECKPOINT_PAGES]


def _write(db: Session) -> None:
    db.execute(text("INSERT INTO written VALUES (1)"))


def _write_once(database: Database) -> None:
    with database.begin() as db:
        _write(db)


def _count(database: Database) -> int:
    with database.read_rows() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM written")) or 0)
