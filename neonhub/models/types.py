"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Integer,
    String,
    TypeDecorator,
)

Json = JSON(none_as_null=True)
BigKey = BigInteger().with_variant(Integer, "sqlite")
Id = String(32)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant; aware in Python, `timestamptz` on PostgreSQL, naive UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values; hand the driver UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; every instant must be aware.")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None]:
        """Give back an aware instant in UTC; one call a value, for they are many."""
        return instant_of_text if dialect.name == "sqlite" else _in_utc


def instant_of_text(text: str | None) -> datetime | None:
    """The instant that SQLite stores as this text, aware and in UTC."""
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def text_of_instant(instant: datetime) -> str:
    """The text SQLite stores an instant as, `2026-05-04 12:00:00.000000`: it sorts by time."""
    return instant.astimezone(UTC).isoformat(" ", "microseconds")[:-6]


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A constraint that only an enum's words stand in `column` (NULL passes)."""
    return CheckConstraint(is_one_of(column, words), name=column)


def is_one_of(column: str, words: Iterable[StrEnum]) -> str:
    """That one of these words stands in `column`.

    Compared one by one: of a list SQLite makes a table, in a constraint for every row it writes.
    """
    return " OR ".join(f"{column} = '{word.value}'" for word in words)


def is_none_of(column: str, words: Iterable[StrEnum]) -> str:
    """That another word stands in `column`."""
    return " AND ".join(f"{column} <> '{word.value}'" for word in words)
