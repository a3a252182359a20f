"""Short transactions on SQLite or PostgreSQL."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from sqlite3 import SQLITE_BUSY
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, UpdateBase, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another one before it gives up."""

CHECKPOINT_PAGES = 8000
"""A firing of 2,000 changes some thousand pages, and the next one many of them again: they are
copied into the database once for several firings, by the commit that finds so many."""

LOCK_POLL_SECONDS = 0.001
"""How often a greenlet that waits for SQLite's lock tries again."""

IDLE_SECONDS = 1.0
"""A connection to PostgreSQL that lay idle for longer is asked whether it still works."""


class Database:
    """The store that decides; what is not committed has not happened."""

    def __init__(
        self, url: str, *, pool_size: int = 5, greenlets: bool = False, by_key: bool = False
    ) -> None:
        """Prepare the engine; nothing connects before the first transaction.

        Args:
            url: A SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…`.
            pool_size: Connections kept open; up to three times as many in a rush.
            greenlets: Whether those who use it share one thread, where a SQLite writer that waits
                for another process must let the others go on.
            by_key: Whether all statements concern few rows, to be found by their keys.
        """
        self.engine = _create_engine(url, pool_size, greenlets)
        if by_key and not self.is_sqlite:
            event.listen(self.engine, "connect", _find_by_key)
        # Each statement of PostgreSQL sees what is committed by then, in a transaction or not:
        # without one, a reader is spared two round trips.
        self._reader = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
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
        """Statements that only read; on SQLite all see the same, and wait for no writer."""
        with Session(self._reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read_rows(self) -> Iterator[Connection]:
        """The same as `read`, for rows instead of objects: without a session around them."""
        with self._reader.connect() as connection, connection.begin():
            yield connection

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


def _create_engine(url: str, pool_size: int, greenlets: bool) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"check_same_thread": False})
        # That takes 30 ms, in which no other greenlet goes on: it is left to the scheduler.
        pages = 2 * CHECKPOINT_PAGES if greenlets else CHECKPOINT_PAGES
        event.listen(engine, "connect", partial(_prepare_sqlite, pages))
        event.listen(engine, "begin", _begin_yielding if greenlets else _begin_sqlite)
        return engine
    engine = create_engine(url, pool_size=pool_size, max_overflow=2 * pool_size, pool_timeout=5)
    event.listen(engine, "checkin", _note_idle)
    event.listen(engine, "checkout", partial(_replace_dead, engine))
    return engine


def _note_idle(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["idle_since"] = time.monotonic()


def _replace_dead(
    engine: Engine, connection: DBAPIConnection, entry: ConnectionPoolEntry, _: object
) -> None:
    """Have the pool connect anew in place of a connection that the server has ended."""
    since = entry.info.pop("idle_since", None)
    if since is None:  # it is new
        return
    try:
        _look_for_end(connection)
        if time.monotonic() - since > IDLE_SECONDS:
            engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _find_by_key(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Have PostgreSQL plan each statement once, and use indexes even for a small table.

    It would plan anew at each run, which takes longer than to run the plan; and a plan that was
    made while a table was small would go on to read all of it.
    """
    driver: Any = connection
    driver.execute("SET plan_cache_mode = force_generic_plan")
    for way in ("seqscan", "hashjoin", "mergejoin"):
        driver.execute(f"SET enable_{way} = off")
    driver.commit()


def _look_for_end(connection: Any) -> None:
    """Raise if the server has said good-bye and closed; asks it nothing, so it takes no time."""
    connection.pgconn.consume_input()  # the good-bye
    connection.pgconn.consume_input()  # the close


def _prepare_sqlite(
    checkpoint_pages: int, connection: DBAPIConnection, _: ConnectionPoolEntry
) -> None:
    # The driver's own transaction handling would begin too late for BEGIN IMMEDIATE.
    driver: Any = connection
    driver.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "cache_size = -8000",  # what a large firing changes is kept until it is committed
        f"wal_autocheckpoint = {checkpoint_pages}",
    ):
        driver.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _begin_yielding(connection: Connection) -> None:
    """Begin; wait for the lock in Python's sleep, during which the other greenlets go on.

    SQLite's own wait sleeps inside the driver, longer each time: next to a scheduler that hardly
    pauses it held up all requests for half a second.
    """
    if "sqlite_begin" not in connection.get_execution_options():  # a reader waits for no lock
        _begin_sqlite(connection)
        return
    driver: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while not _has_begun(connection, deadline):
            time.sleep(LOCK_POLL_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _has_begun(connection: Connection, deadline: float) -> bool:
    """Try once; False if another writer has the lock and there is time left."""
    try:
        _begin_sqlite(connection)
    except OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code != SQLITE_BUSY or time.monotonic() >= deadline:
            raise
        return False
    return True
