"""Rows given with a statement, so that one statement treats a whole batch on both databases."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
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
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from neonhub.models.types import UtcDateTime

Values = Mapping[str, tuple[type, Sequence[Any]]]
"""Column name → (str, int or datetime) and its values; all of the same length."""


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
        arrays = {
            key: bindparam(f"{self._name}_{key}", type_=ARRAY(_GIVEN_AS.get(kind, _TYPES[kind])))
            for key, kind in self._columns.items()
        }
        return _from_arrays(arrays, self._columns, self._name)

    def values(self, rows: Iterable[Sequence[Any]], *, is_sqlite: bool) -> dict[str, Any]:
        """The parameters that make these its rows, None allowed."""
        by_column = list(zip(*rows, strict=True)) or [()] * len(self._columns)
        encoded = [
            [None if value is None else json.dumps(value) for value in values]
            if kind is dict
            else values
            for kind, values in zip(self._columns.values(), by_column, strict=True)
        ]
        if is_sqlite:
            return {f"{self._name}_rows": _json_of(encoded)}
        names = (f"{self._name}_{key}" for key in self._columns)
        return {name: list(values) for name, values in zip(names, encoded, strict=True)}


def given_rows(db: Session, columns: Values, name: str = "given") -> FromClause:
    """A table of the values given, for a statement that is built where it runs.

    Args:
        columns: Column name → its type and its values, None allowed.
        name: What the statement calls the table.
    """
    assert db.bind is not None
    kinds = {key: kind for key, (kind, _) in columns.items()}
    if db.bind.dialect.name == "sqlite":
        return _from_json(_json_of([values for _, values in columns.values()]), kinds, name)
    arrays = {
        key: bindparam(f"{name}_{key}", list(values), type_=ARRAY(_TYPES[kind]), unique=True)
        for key, (kind, values) in columns.items()
    }
    return _from_arrays(arrays, kinds, name)


_TYPES: dict[type, TypeEngine[Any]] = {
    str: Text(),
    int: Integer(),
    float: Float(),
    datetime: DateTime(timezone=True),
    dict: JSON(),
}

_GIVEN_AS: dict[type, TypeEngine[Any]] = {dict: Text()}


def _from_arrays(
    arrays: Mapping[str, BindParameter[Any]], kinds: Mapping[str, type], name: str
) -> FromClause:
    unnested = [
        cast(array, ARRAY(JSON())) if kinds[key] is dict else array for key, array in arrays.items()
    ]
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


def _json_of(columns: Iterable[Iterable[Any]]) -> str:
    return json.dumps(list(zip(*(map(_text, values) for values in columns), strict=True)))


_SQLITE: dict[type, TypeEngine[Any]] = {
    str: String(),
    int: Integer(),
    float: Float(),
    datetime: UtcDateTime(),
    dict: JSON(),
}


def _text(value: Any) -> Any:
    """An instant in the form SQLite stores; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "microseconds")[:-6]
    return value
