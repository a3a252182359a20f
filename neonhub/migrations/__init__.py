"""The one migration chain, run at every start, by one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from neonhub.database import Database

_LOCK_KEY = 0x6E656F6E687562
"""Advisory lock on PostgreSQL: the bytes of "neonhub"."""


def migrate(database: Database, *, revision: str = "head") -> None:
    """Bring the database to the newest schema; processes started together wait in line.

    Args:
        revision: The step of the chain to end at, in Alembic's words.

    Raises:
        sqlalchemy.exc.OperationalError: The database does not answer.
    """
    with database.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        command.upgrade(_config(connection), revision)


def is_migrated(connection: Connection) -> bool:
    """Whether the schema is the one this version of the code was written for."""
    present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory.from_config(_config(connection)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
