"""Runs statements that are built once and run often, without SQLAlchemy's work for each run."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError

Query = tuple[Any, Mapping[str, Any]]
"""A statement, compiled at its first run, and the values of its parameters that are not fixed."""


def run(connection: Connection, statement: Any, values: Mapping[str, Any]) -> list[Any]:
    """Run one statement, as `run_all` does.

    Returns:
        The rows it returns, with their columns by name.
    """
    return run_all(connection, [(statement, values)])[0]


def run_unread(
    connection: Connection, query: Query, others: Sequence[Query]
) -> tuple[list[Any], Callable[[Any], Any], list[list[Any]]]:
    """Run statements as `run_all` does, of whose first not all rows need be read.

    Returns:
        The rows of the first, their columns by name and as the driver has them; what makes of such
        a row the one that `run` returns; and the rows of the others.
    """
    first = _Run(connection, *query, unread=True)
    runs = [first, *(_Run(connection, *each) for each in others)]
    _run_given(connection, runs)
    return first.found, first.prepared.read, [each.found for each in runs[1:]]


def run_all(connection: Connection, queries: Sequence[Query | None]) -> list[list[Any]]:
    """Run statements in the connection's transaction, in their order.

    PostgreSQL is sent them together, and answers in one round trip. After one that it refuses,
    the others are not run.

    Args:
        queries: None stands for nothing to run, which returns no rows.

    Returns:
        The rows that each returns, with their columns by name.

    Raises:
        sqlalchemy.exc.DBAPIError: As from SQLAlchemy's own `execute`, of the first one refused.
    """
    runs = [_Run(connection, *query) if query else None for query in queries]
    _run_given(connection, [each for each in runs if each])
    return [each.found if each else [] for each in runs]


def run_made(connection: Connection, queries: Iterable[Query], *, aside: bool = False) -> int:
    """Run statements that return no rows, in the connection's transaction and in their order.

    PostgreSQL runs each while what follows is made, and answers once, at the end.

    Args:
        queries: Asked for one by one; what makes them must not use the connection.
        aside: Whether SQLite, too, runs each while what follows is made: in a thread, which pays
            where making one takes about a millisecond.

    Returns:
        How many rows they have inserted and changed.

    Raises:
        sqlalchemy.exc.DBAPIError: As `run_all`.
    """
    runs: list[_Run] = []

    def made() -> Iterator[_Run]:
        for query in queries:
            runs.append(_Run(connection, *query))
            yield runs[-1]

    with _errors_of(connection, runs):
        if connection.dialect.name != "sqlite":
            _run_together(connection.connection.dbapi_connection, made())
        elif aside:
            _run_aside(made())
        else:
            _run_in_turn(made())
    return sum(each.changed for each in runs)


def _run_given(connection: Connection, runs: Sequence["_Run"]) -> None:
    with _errors_of(connection, runs):
        if connection.dialect.name == "sqlite" or len(runs) < 2:
            _run_in_turn(runs)
        else:
            _run_together(connection.connection.dbapi_connection, runs)


@contextmanager
def _errors_of(connection: Connection, runs: Sequence["_Run"]) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy has them, and close the cursors at the end."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        refused = next((each for each in runs if not each.is_done), None)
        raise _as_sqlalchemy_has_it(_cause(error), connection, refused) from error
    finally:
        for each in runs:
            each.cursor.close()


class _Run:
    """One run of a statement."""

    def __init__(
        self,
        connection: Connection,
        statement: Any,
        values: Mapping[str, Any],
        *,
        unread: bool = False,
    ) -> None:
        self.unread = unread
        self.prepared = _prepared(statement, connection.dialect)
        self.values = values
        self.found: list[Any] = []
        self.changed = 0
        self.is_done = False
        self._given = self.prepared.parameters(values)
        self.cursor: Any = connection.connection.cursor()

    def send(self) -> None:
        self.cursor.execute(self.prepared.text, self._given)

    def fetch(self) -> None:
        if self.prepared.returns_rows:
            self.found = self.prepared.rows(self.cursor, unread=self.unread)
        self.changed = self.cursor.rowcount
        self.is_done = True

    def run(self) -> None:
        self.send()
        self.fetch()


def _run_in_turn(runs: Iterable[_Run]) -> None:
    for each in runs:
        each.run()


def _run_aside(runs: Iterable[_Run]) -> None:
    """Run them in a thread, while this one makes what follows."""
    with ThreadPoolExecutor(1) as thread:
        for _ in thread.map(_Run.run, runs):
            continue  # what was refused is raised


def _run_together(driver: Any, runs: Iterable[_Run]) -> None:
    sent: list[_Run] = []
    try:
        with driver.pipeline():
            for each in runs:
                sent.append(each)
                each.send()
    finally:  # as the pipeline ends, the answers come
        for each in sent:
            if each.cursor.statusmessage is not None:
                each.fetch()


class _Prepared:
    """A statement's text for one database, and what its values need on their way there and back."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._fixed = dict(compiled.params)
        self._order: list[str] | None = compiled.positiontup
        self._writes = {
            name: write
            for bind, name in compiled.bind_names.items()
            if (write := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        columns = statement.exported_columns
        self.returns_rows = bool(columns)
        row: Any = namedtuple("Row", columns.keys(), rename=True)  # type: ignore[misc]
        self._row: Callable[[Iterable[Any]], Any] = row._make
        self._dialect = dialect
        self._types = [each.type.dialect_impl(dialect) for each in columns]
        self._reads: list[tuple[int, Callable[[Any], Any]]] | None = None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver is given."""
        given = {**self._fixed, **values}
        for name, write in self._writes.items():
            given[name] = write(given[name])
        return given if self._order is None else [given[name] for name in self._order]

    def rows(self, cursor: Any, *, unread: bool) -> list[Any]:
        """What the driver returned, with what the columns' types make of it unless `unread`."""
        if self._reads is None:
            self._reads = list(self._readers(cursor.description))
        make = self.read if self._reads and not unread else self._row
        return [make(row) for row in cursor.fetchall()]

    def read(self, row: Iterable[Any]) -> Any:
        """A row with what the columns' types make of what the driver returned."""
        values = list(row)
        for n, read in self._reads or ():
            values[n] = read(values[n])
        return self._row(values)

    def _readers(
        self, description: Sequence[Sequence[Any]]
    ) -> Iterator[tuple[int, Callable[[Any], Any]]]:
        """By column what makes of the driver's value what its type has, where that differs."""
        for n, (of_column, told) in enumerate(zip(self._types, description, strict=True)):
            read = of_column.result_processor(self._dialect, told[1])
            if read is not None:
                yield n, read


@lru_cache(maxsize=200)
def _prepared(statement: Executable, dialect: Dialect) -> _Prepared:
    return _Prepared(statement, dialect)


def _as_sqlalchemy_has_it(error: Any, connection: Connection, refused: _Run | None) -> Exception:
    """Its own exception for one of the driver's; a connection that has ended is given up."""
    dialect = connection.dialect
    driver = connection.connection.dbapi_connection
    is_disconnect = dialect.is_disconnect(error, driver, refused.cursor if refused else None)
    if is_disconnect:
        connection.invalidate(error)
    found: Exception = DBAPIError.instance(
        refused.prepared.text if refused else None,
        dict(refused.values) if refused else None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=is_disconnect,
        dialect=dialect,
    )
    return found


def _cause(error: BaseException) -> BaseException:
    """What was refused first: the driver may raise what it says of those that were not run."""
    while type(error).__name__ == "PipelineAborted" and error.__context__:
        error = error.__context__
    return error
