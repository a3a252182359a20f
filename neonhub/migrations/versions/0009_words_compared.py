"""Words compared one by one: SQLite would make a table of a list's words for every row it writes.

In a query it makes that table once. In a constraint and in an index of some rows it makes it again
for each row, which was a third of what it takes to insert a session. Rows and indexes stay as they
are, so only the texts in the schema are changed, as section 7 of
https://sqlite.org/lang_altertable.html has it for such changes. A SQLite that refuses keeps the
lists, which mean the same.

Revision ID: 0009
Revises: 0008
"""

import re

from alembic import op
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LIST = re.compile(r"\b(\w+) (NOT )?IN \(('\w+'(?:, '\w+')*)\)")


def upgrade() -> None:
    """Take this step."""
    if op.get_context().dialect.name == "sqlite":
        connection = op.get_bind()
        version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        try:
            _rewrite(connection)
            connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
        finally:
            connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def downgrade() -> None:
    """Take this step back: nothing is to be done, the texts mean what the lists did."""


def _rewrite(connection: Connection) -> None:
    schema = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    for name, sql in schema.all():
        if (compared := LIST.sub(_compared, sql)) != sql:
            update = "UPDATE sqlite_master SET sql = ? WHERE name = ?"
            connection.exec_driver_sql(update, (compared, name))


def _compared(found: re.Match[str]) -> str:
    column, negated, words = found.groups()
    sign, conjunction = ("<>", " AND ") if negated else ("=", " OR ")
    return conjunction.join(f"{column} {sign} {word}" for word in words.split(", "))
