"""Connections to PostgreSQL: kept, looked at before use, and replaced where they have ended."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from neonhub import database as database_module
from neonhub.database import Database
from tests.services import start_postgres


@pytest.fixture
def pings(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each question whether a connection still works."""
    seen: list[Any] = []
    ping = postgres.engine.dialect.do_ping

    def count(connection: Any) -> bool:
        seen.append(connection)
        return ping(connection)

    monkeypatch.setattr(postgres.engine.dialect, "do_ping", count)
    return seen


@pytest.fixture
def postgres(postgres_url: str) -> Any:
    database = Database(postgres_url)
    yield database
    database.close()


def test_a_connection_that_was_ended_meanwhile_is_replaced(
    postgres: Database, postgres_url: str
) -> None:
    before = _backend(postgres)
    _end_backend(postgres_url, before)
    assert _backend(postgres) != before


def test_a_transaction_after_a_restart_of_the_database_succeeds(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # as root PostgreSQL is another user, who must get in
    with start_postgres(tmp_path / "postgres") as url:
        database = Database(url)
        before = _backend(database)
    with start_postgres(tmp_path / "postgres") as url_again:
        assert url_again == url
        assert _backend(database) != before
        database.close()


def test_a_connection_in_constant_use_is_asked_nothing(
    postgres: Database, pings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_SECONDS", 3600.0)
    assert _backend(postgres) == _backend(postgres)
    assert not pings


def test_a_connection_that_lay_idle_is_asked_whether_it_works(
    postgres: Database, pings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_SECONDS", 0.0)
    assert _backend(postgres) == _backend(postgres)
    assert len(pings) == 1


def test_a_reader_begins_no_transaction_and_a_writer_after_it_does(postgres: Database) -> None:
    with postgres.read() as db:
        assert _is_in_transaction(db.connection().connection.dbapi_connection) is False
    with postgres.begin() as db:
        db.execute(text("SELECT 1"))
        assert _is_in_transaction(db.connection().connection.dbapi_connection) is True


@pytest.mark.parametrize(("by_key", "way"), [(False, "Seq Scan"), (True, "Index Scan")])
def test_who_wants_rows_by_key_gets_no_plan_that_reads_a_whole_table(
    postgres_url: str, by_key: bool, way: str
) -> None:
    database = Database(postgres_url, by_key=by_key)
    with database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.rollback()  # which takes back what a transaction has set
        small_table = text("EXPLAIN SELECT * FROM pg_am WHERE oid = 2")
        assert str(connection.scalars(small_table).first()).startswith(way)
    database.close()


def _backend(database: Database) -> int:
    with database.read() as db:
        return int(db.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _end_backend(url: str, backend: int) -> None:
    """End a connection's process, and wait until it is gone."""
    other = Database(url)
    with other.begin() as db:
        query = text("SELECT pg_terminate_backend(:backend, 10000)")
        assert db.execute(query, {"backend": backend}).scalar_one()
    other.close()


def _is_in_transaction(connection: Any) -> bool:
    return str(connection.info.transaction_status.name) != "IDLE"
