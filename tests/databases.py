"""Both databases for the one conformance suite: each test gets a migrated one of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Executable, event

from neonhub import statements as statements_module
from neonhub.database import Database
from neonhub.migrations import migrate
from tests.services import create_postgres_database, drop_postgres_database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'neonhub.db'}"
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "neonhub.db")
    else:
        server = request.getfixturevalue("postgres_server_url")
        url = create_postgres_database(server, request.getfixturevalue("postgres_template"))
    database = Database(url)
    yield database
    database.close()
    if request.param == "postgres":
        drop_postgres_database(server, url)


@pytest.fixture
def statements(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement the database is given from now on."""
    seen: list[str] = []
    prepared = statements_module._prepared

    def note(statement: Executable, dialect: Dialect) -> Any:
        found = prepared(statement, dialect)
        seen.append(found.text)
        return found

    monkeypatch.setattr(statements_module, "_prepared", note)

    def record(*args: Any) -> None:
        seen.append(args[2])

    event.listen(database.engine, "before_cursor_execute", record)
    yield seen
    event.remove(database.engine, "before_cursor_execute", record)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server_url: str) -> str:
    """The URL of a migrated PostgreSQL database to copy."""
    url = create_postgres_database(postgres_server_url)
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()
