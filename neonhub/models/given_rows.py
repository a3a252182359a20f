"""Rows given with a statement, so that one statement treats a whole batch on both databases."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    DateTime,
    FromClause,
    Integer,
    String,
    Text,
    bindparam,
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


def given_rows(db: Session, columns: Values, name: str = "given") -> FromClause:
    """A table of the values given, to select from or join with.

    PostgreSQL unnests arrays, SQLite takes JSON apart: either way the statement's text is the same
    for any number of rows, so it is prepared once.

    Args:
        columns: Column name → its type and its values, None allowed.
        name: What the statement calls the table.
    """
    assert db.bind is not None
    if db.bind.dialect.name == "sqlite":
        return _from_json(columns, name)
    arrays = [
        bindparam(f"{name}_{key}", list(values), type_=ARRAY(_TYPES[kind]), unique=True)
        for key, (kind, values) in columns.items()
    ]
    typed = [column(key, _TYPES[kind]) for key, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*typed, name=name).render_derived(name=name)


_TYPES: dict[type, TypeEngine[Any]] = {
    str: Text(),
    int: Integer(),
    datetime: DateTime(timezone=True),
}


def _from_json(columns: Values, name: str) -> FromClause:
    rows = list(zip(*(map(_text, values) for _, values in columns.values()), strict=True))
    parts = func.json_each(json.dumps(rows)).table_valued("value", name=f"{name}_json")
    picked = [
        func.json_extract(
            parts.c.value, literal_column(f"'$[{index}]'"), type_=_SQLITE[kind]
        ).label(key)
        for index, (key, (kind, _)) in enumerate(columns.items())
    ]
    return select(*picked).subquery(name)


_SQLITE: dict[type, TypeEngine[Any]] = {str: String(), int: Integer(), datetime: UtcDateTime()}


def _text(value: Any) -> Any:
    """An instant in the form SQLite stores; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value
