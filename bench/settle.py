"""Lets a database that was just filled come to rest, as one that runs for days is."""

from typing import Any

from neonhub.database import Database

STATEMENTS = {
    "sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"),
    "postgresql": ("VACUUM ANALYZE", "CHECKPOINT"),
}


def settle(database: Database) -> None:
    """Have it know its tables, and write now what it would write behind the first questions."""
    connection = database.engine.raw_connection()
    driver: Any = connection.driver_connection
    if not database.is_sqlite:
        driver.autocommit = True  # none of these may be in a transaction
    for statement in STATEMENTS[database.engine.dialect.name]:
        driver.execute(statement)
    connection.invalidate()
