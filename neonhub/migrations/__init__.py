"""The one migration chain, looked at at every start, run by one process at a time."""

from functools import cache
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from neonhub.database import Database

_LOCK_KEY = 0x6E656F6E687562
"""Advisory lock on PostgreSQL: the bytes of "neonhub"."""

_HEAD = "head"


def migrate(database: Database, *, revision: str = _HEAD) -> None:
    """Bring the database to the newest schema; processes started together wait in line.

    Args:
        revision: The step of the chain to end at, in Alembic's words.

    Raises:
        sqlalchemy.exc.OperationalError: The database does not answer.
    """
    if revision == _HEAD and is_up_to_date(database):
        return
    # Imported only now: most starts find the newest schema, and Alembic takes 10 MB.
    chain = import_module("neonhub.migrations.chain")
    with database.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        chain.upgrade(connection, revision)


def is_up_to_date(database: Database) -> bool:
    """Whether there is nothing to migrate.

    Raises:
        sqlalchemy.exc.OperationalError: The database does not answer.
    """
    with database.engine.connect() as connection:
        return is_migrated(connection)


def is_migrated(connection: Connection) -> bool:
    """Whether the schema is the one this version of the code was written for."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    present = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return bool(present == newest_revision())


@cache
def newest_revision() -> str:
    """The last step of the chain; a step's file begins with its number."""
    steps = (Path(__file__).parent / "versions").glob("[0-9]*.py")
    return max(step.stem.partition("_")[0] for step in steps)
