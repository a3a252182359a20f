"""Alembic's part: runs the chain; imported only by a process that finds an older schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str) -> None:
    """Run the steps up to a revision, in the connection's transaction."""
    command.upgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    """Return what Alembic's commands take."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
