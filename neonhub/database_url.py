"""Turns a DATABASE_URL as people write it into the one SQLAlchemy takes."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from neonhub.environment import BadValue

ALLOWED = "sqlite:///path/to/file.db or postgresql://user:password@host:5432/name"

_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_OTHER_CLIENTS_OPTIONS = frozenset({"connection_limit", "pool_timeout", "pgbouncer"})


def normalise_database_url(text: str) -> str:
    """Name the driver, make a SQLite path absolute, turn `?schema=` into a search path.

    Args:
        text: What DATABASE_URL holds; a result of this function comes back unchanged.

    Raises:
        ValueError: It is no URL of a database NeonHub knows.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ValueError(text) from error
    if url.drivername == "sqlite":
        return _sqlite(url)
    if url.drivername in _POSTGRES:
        return _postgresql(url)
    raise ValueError(text)


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite file."""
    return URL.create("sqlite", database=str(file.absolute())).render_as_string()


def sqlite_file(database_url: str) -> Path | None:
    """Return the file a normalised URL names; None if it is not SQLite's."""
    url = make_url(database_url)
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def schema_of(database_url: str) -> str | None:
    """Return the PostgreSQL schema a normalised URL names; None for the server's default."""
    options = make_url(database_url).query.get("options", "")
    found = re.search(r'-csearch_path="([^"]+)"', str(options))
    return found.group(1) if found else None


def _sqlite(url: URL) -> str:
    if url.host or url.database in (None, "", ":memory:"):
        raise BadValue(
            "must name a file with three slashes, such as sqlite:///neonhub.db; "
            "a database in memory cannot be shared by several processes"
        )
    return sqlite_url(Path(str(url.database)).expanduser())


def _postgresql(url: URL) -> str:
    if not url.database:
        raise BadValue("must name the database after the host, such as postgresql://host/neonhub")
    query = {key: value for key, value in url.query.items() if key not in _OTHER_CLIENTS_OPTIONS}
    schema = query.pop("schema", None)
    if schema is not None:
        query["options"] = _with_search_path(str(query.get("options", "")), str(schema))
    _check_options(url.port, query)
    return url.set(drivername="postgresql+psycopg", query=query).render_as_string(False)


def _check_options(port: int | None, query: Mapping[str, str | tuple[str, ...]]) -> None:
    """Refuse what libpq would refuse on each connection, as if the server were away."""
    if port is not None and not 1 <= port <= 65_535:
        raise BadValue("must have a port from 1 to 65535")
    # Imported only now: a process on SQLite is 9 MB smaller without it.
    known = import_module("neonhub.libpq").option_names()
    for name in query:
        if name not in known:
            raise BadValue(
                f"must have no option {name!r}; allowed are schema and those of libpq, such as "
                "sslmode and connect_timeout"
            )
    if query.get("sslmode", "prefer") not in _SSL_MODES:
        raise BadValue(f"must have one of {', '.join(_SSL_MODES)} as its sslmode")
    if not re.fullmatch(r"[0-9]{1,9}", str(query.get("connect_timeout", "0"))):
        raise BadValue("must have a whole number of seconds as its connect_timeout")


def _with_search_path(options: str, schema: str) -> str:
    if not _SCHEMA.fullmatch(schema):
        raise BadValue("must have a plain name of letters, digits and _ after ?schema=")
    return f'{options} -csearch_path="{schema}"'.strip()
