"""Short transactions on SQLite or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, UpdateBase, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one before it gives up."""


class Database:
    """The store that decides; what is not committed has not happened."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        """Prepare the engine; nothing connects before the first transaction.

        Args:
            url: A SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…`.
            pool_size: Connections kept open; up to three times as many in a rush.
        """
        self.engine = _create_engine(url, pool_size)
        self._writer = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    @property
    def is_sqlite(self) -> bool:
        """Whether one writer at a time is all there can be."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that may write; commits at the end, rolls back on an exception."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it waits for no writer."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def forget_connections(self) -> None:
        """Drop the pool in a forked child without closing the parent's sockets."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def changed_rows(db: Session, statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE and count its rows: 0 means that someone else got there first.

    Objects loaded before keep what they had.
    """
    result = db.execute(statement, execution_options={"synchronize_session": False})
    return cast(CursorResult[Any], result).rowcount


def connection_of(db: Session) -> tuple[Connection, bool]:
    """The transaction's connection, for statements that are built once, and whether it is SQLite.

    What the session holds back is written first.
    """
    db.flush()
    connection = db.connection()
    return connection, connection.dialect.name == "sqlite"


def _create_engine(url: str, pool_size: int) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url, pool_size=pool_size, max_overflow=2 * pool_size, pool_pre_ping=True, pool_timeout=5
    )


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own transaction handling would begin too late for BEGIN IMMEDIATE.
    driver: Any = connection
    driver.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        # A firing of 2,000 changes some thousand pages, and the next one many of them again: they
        # are kept until they are committed, and copied into the database once for several firings.
        "cache_size = -8000",
        "wal_autocheckpoint = 8000",
    ):
        driver.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
