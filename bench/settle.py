"""Lets a database that was just filled come to rest, as one that runs for days is."""

from sqlalchemy import text

from neonhub.database import Database

STATEMENTS = {
    "sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"),
    "postgresql": ("VACUUM ANALYZE", "CHECKPOINT"),
}


def settle(database: Database) -> None:
    """Have it know its tables, and write now what it would write behind the first questions."""
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in STATEMENTS[connection.dialect.name]:
            connection.execute(text(statement))
