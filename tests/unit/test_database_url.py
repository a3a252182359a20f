"""DATABASE_URL as people write it, and as SQLAlchemy takes it."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from neonhub.database_url import normalise_database_url, schema_of, sqlite_file


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgres://u:p%40w@h/d", "postgresql+psycopg://u:p%40w@h/d"),
        ("postgresql://u@h:1/d?sslmode=disable", "postgresql+psycopg://u@h:1/d?sslmode=disable"),
        ("postgresql://h/d?connection_limit=5&pgbouncer=true", "postgresql+psycopg://h/d"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
    ],
)
def test_the_driver_is_named(written: str, meant: str) -> None:
    assert normalise_database_url(written) == meant


def test_a_relative_file_becomes_absolute() -> None:
    assert normalise_database_url("sqlite:///x.db") == f"sqlite:///{Path('x.db').absolute()}"


@pytest.mark.parametrize("schema", ["public", "Neon_Hub", "tenant1"])
def test_a_schema_becomes_the_search_path(schema: str) -> None:
    url = normalise_database_url(f"postgresql://h/d?schema={schema}")
    options = create_engine(url).dialect.create_connect_args(create_engine(url).url)[1]
    assert options["options"] == f'-csearch_path="{schema}"'
    assert schema_of(url) == schema


def test_a_schema_joins_options_that_are_there() -> None:
    url = normalise_database_url("postgresql://h/d?options=-cwork_mem%3D8MB&schema=s")
    assert "-cwork_mem%3D8MB+-csearch_path%3D%22s%22" in url


@pytest.mark.parametrize("url", ["postgres://u:p@h/d?schema=s", "sqlite:///x.db"])
def test_a_result_comes_back_unchanged(url: str) -> None:
    once = normalise_database_url(url)
    assert normalise_database_url(once) == once


def test_only_sqlite_has_a_file_and_only_postgresql_a_schema() -> None:
    assert sqlite_file("sqlite:////srv/x.db") == Path("/srv/x.db")
    assert sqlite_file("postgresql+psycopg://h/d") is None
    assert schema_of("sqlite:////srv/x.db") is None
