"""Runs statements that are built once and run often, without SQLAlchemy's work for each run."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    given = [each for each in runs if each]
    try:
        if connection.dialect.name == "sqlite" or len(given) < 2:
            for each in given:
                each.send()
                each.fetch()
        else:
            _run_together(connection.connection.dbapi_connection, given)
    except connection.dialect.loaded_dbapi.Error as error:
        refused = next((each for each in given if not each.is_done), given[-1])
        raise _as_sqlalchemy_has_it(_cause(error), connection, refused) from error
    finally:
        for each in given:
            each.cursor.close()
    return [each.found if each else [] for each in runs]


class _Run:
    """One run of a statement."""

    def __init__(self, connection: Connection, statement: Any, values: Mapping[str, Any]) -> None:
        self.prepared = _prepared(statement, connection.dialect)
        self.values = values
        self.found: list[Any] = []
        self.is_done = False
        self._given = self.prepared.parameters(values)
        self.cursor: Any = connection.connection.cursor()

    def send(self) -> None:
        self.cursor.execute(self.prepared.text, self._given)

    def fetch(self) -> None:
        if self.prepared.returns_rows:
            self.found = self.prepared.rows(self.cursor)
        self.is_done = True


def _run_together(driver: Any, runs: Sequence[_Run]) -> None:
    try:
        with driver.pipeline():
            for each in runs:
                each.send()
    finally:  # as the pipeline ends, the answers come
        for each in runs:
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

    def rows(self, cursor: Any) -> list[Any]:
        """What the driver returned, with what the columns' types make of it."""
        if self._reads is None:
            self._reads = list(self._readers(cursor.description))
        found = cursor.fetchall()
        if self._reads:
            found = [self._read(row, self._reads) for row in found]
        return [self._row(row) for row in found]

    def _readers(
        self, description: Sequence[Sequence[Any]]
    ) -> Iterator[tuple[int, Callable[[Any], Any]]]:
        """By column what makes of the driver's value what its type has, where that differs."""
        for n, (of_column, told) in enumerate(zip(self._types, description, strict=True)):
            read = of_column.result_processor(self._dialect, told[1])
            if read is not None:
                yield n, read

    @staticmethod
    def _read(
        row: Sequence[Any], reads: Sequence[tuple[int, Callable[[Any], Any]]]
    ) -> Sequence[Any]:
        values = list(row)
        for n, read in reads:
            values[n] = read(values[n])
        return values


@lru_cache(maxsize=200)
def _prepared(statement: Executable, dialect: Dialect) -> _Prepared:
    return _Prepared(statement, dialect)


def _as_sqlalchemy_has_it(error: Any, connection: Connection, refused: _Run) -> Exception:
    """Its own exception for one of the driver's; a connection that has ended is given up."""
    dialect = connection.dialect
    driver = connection.connection.dbapi_connection
    is_disconnect = dialect.is_disconnect(error, driver, refused.cursor)
    if is_disconnect:
        connection.invalidate(error)
    found: Exception = DBAPIError.instance(
        refused.prepared.text,
        dict(refused.values),
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
