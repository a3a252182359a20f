"""Runs statements that are built once and run often, without SQLAlchemy's work for each run."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError


def run(connection: Connection, statement: Any, values: Mapping[str, Any]) -> list[Any]:
    """Run a statement in the connection's transaction.

    Args:
        statement: Built once: it is compiled at its first run.
        values: Those of its parameters that are not fixed.

    Returns:
        The rows it returns, with their columns by name.

    Raises:
        sqlalchemy.exc.DBAPIError: As from SQLAlchemy's own `execute`.
    """
    prepared = _prepared(statement, connection.dialect)
    given = prepared.parameters(values)
    cursor = connection.connection.cursor()
    try:
        cursor.execute(prepared.text, given)
        return prepared.rows(cursor) if cursor.description else []
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy_has_it(error, connection, cursor, prepared.text, values) from error
    finally:
        cursor.close()


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


def _as_sqlalchemy_has_it(
    error: Any, connection: Connection, cursor: Any, text: str, values: Mapping[str, Any]
) -> Exception:
    """Its own exception for one of the driver's; a connection that has ended is given up."""
    dialect = connection.dialect
    is_disconnect = dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)
    if is_disconnect:
        connection.invalidate(error)
    found: Exception = DBAPIError.instance(
        text,
        dict(values),
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=is_disconnect,
        dialect=dialect,
    )
    return found
