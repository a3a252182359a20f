"""Rows given with a statement, so that one statement treats a whole batch on both databases."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BindParameter,
    DateTime,
    Float,
    FromClause,
    Integer,
    String,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from neonhub.models.types import UtcDateTime, text_of_instant

Values = Mapping[str, tuple[type, Sequence[Any]]]
"""Column name → (str, int or datetime) and its values; all of the same length."""

_Column = tuple[type, Sequence[Any]]


class GivenTable:
    """A table of values in a statement that is built once and run often.

    PostgreSQL unnests arrays, SQLite takes JSON apart: either way the statement's text is the same
    for any number of rows, so it is prepared once.
    """

    def __init__(self, name: str, **columns: type) -> None:
        """
        Args:
            name: What the statement calls the table; its parameters begin with it.
            columns: Column name → str, int, float, datetime, or dict for any JSON value.
        """
        self._name = name
        self._columns = columns

    def on(self, *, is_sqlite: bool) -> FromClause:
        """The table, to select from or join with."""
        if is_sqlite:
            rows = bindparam(f"{self._name}_rows", type_=String())
            return _from_json(rows, self._columns, self._name)
        arrays = {key: bindparam(f"{self._name}_{key}", type_=Text()) for key in self._columns}
        return _from_arrays(arrays, self._columns, self._name)

    def finds(self, column: Any, key: str, *, given: FromClause, is_sqlite: bool) -> Any:
        """That a column is the given one, in a form which has PostgreSQL look each up by index.

        By the join alone, it may read the other table, and look up its rows among those given.

        Args:
            column: Of the table that rows are wanted of, of type str.
            key: The name of the given column.
            given: What `on` returned.
        """
        joined = column == given.c[key]
        if is_sqlite:
            return joined
        wanted = bindparam(f"{self._name}_{key}", type_=Text())
        return and_(joined, column == any_(cast(wanted, ARRAY(Text()))))

    def values(self, rows: Iterable[Sequence[Any]], *, is_sqlite: bool) -> dict[str, Any]:
        """The parameters that make these its rows, None allowed."""
        by_column = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        columns = list(zip(self._columns.values(), by_column, strict=True))
        if is_sqlite:
            return {f"{self._name}_rows": _json_of(columns)}
        names = (f"{self._name}_{key}" for key in self._columns)
        return dict(zip(names, _arrays_of(columns), strict=True))


def given_rows(db: Session, columns: Values, name: str = "given") -> FromClause:
    """A table of the values given, for a statement that is built where it runs.

    Args:
        columns: Column name → its type and its values, None allowed.
        name: What the statement calls the table.
    """
    assert db.bind is not None
    kinds = {key: kind for key, (kind, _) in columns.items()}
    if db.bind.dialect.name == "sqlite":
        return _from_json(_json_of(columns.values()), kinds, name)
    arrays = {
        key: bindparam(f"{name}_{key}", array, type_=Text(), unique=True)
        for key, array in zip(columns, _arrays_of(columns.values()), strict=True)
    }
    return _from_arrays(arrays, kinds, name)


_TYPES: dict[type, TypeEngine[Any]] = {
    str: Text(),
    int: Integer(),
    float: Float(),
    datetime: DateTime(timezone=True),
    dict: JSON(),
}


def _from_arrays(
    arrays: Mapping[str, BindParameter[Any]], kinds: Mapping[str, type], name: str
) -> FromClause:
    unnested = [cast(array, ARRAY(_TYPES[kinds[key]])) for key, array in arrays.items()]
    typed = [column(key, _TYPES[kind]) for key, kind in kinds.items()]
    return func.unnest(*unnested).table_valued(*typed, name=name).render_derived(name=name)


def _from_json(rows: Any, kinds: Mapping[str, type], name: str) -> FromClause:
    parts = func.json_each(rows).table_valued("value", name=f"{name}_json")
    picked = [
        func.json_extract(
            parts.c.value, literal_column(f"'$[{index}]'"), type_=_SQLITE[kind]
        ).label(key)
        for index, (key, kind) in enumerate(kinds.items())
    ]
    return select(*picked).subquery(name)


def _json_of(columns: Iterable[_Column]) -> str:
    # The rows of a batch share many instants, and each is written once.
    write = _SQLITE_ITEM | {datetime: cache(_sqlite_instant)}
    texts = [map(write[kind], values) if kind in write else values for kind, values in columns]
    return json.dumps(list(zip(*texts, strict=True)))


def _arrays_of(columns: Iterable[_Column]) -> Iterator[str]:
    """PostgreSQL's texts of arrays: the driver takes several times as long to write them."""
    write = _ITEM | {datetime: cache(_instant)}
    for kind, values in columns:
        yield "{" + ",".join(map(write[kind], values)) + "}"


_SQLITE: dict[type, TypeEngine[Any]] = {
    str: String(),
    int: Integer(),
    float: Float(),
    datetime: UtcDateTime(),
    dict: JSON(),
}


def _sqlite_instant(value: datetime | None) -> str | None:
    return None if value is None else text_of_instant(value)


def _sqlite_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


_SQLITE_ITEM: dict[type, Callable[[Any], str | None]] = {dict: _sqlite_json}
"""What is not given as it is."""


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _number(value: float | None) -> str:
    return "NULL" if value is None else repr(value)


def _instant(value: datetime | None) -> str:
    return "NULL" if value is None else f'"{value.isoformat()}"'


def _json(value: Any) -> str:
    return "NULL" if value is None else _quoted(json.dumps(value))


_ITEM: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: _number,
    float: _number,
    dict: _json,
}
