"""Every process restarted one after the other under load, on a database of the version before."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import MetaData, Table, delete, insert, select, text, update

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.migrations import migrate
from neonhub.models import AgentSession, Attempt
from neonhub.redis.embedded import EmbeddedServer
from tests.chaos.agents import unended as unended_agents
from tests.chaos.capture import Capture
from tests.chaos.judge import told_all, unended, violations
from tests.chaos.load import Load
from tests.chaos.separate import EACH, WORKERS, SeparateSystem
from tests.services import create_postgres_database, drop_postgres_database
from tests.waiting import wait_until

LONG_SECONDS = 7
"""Of work that a pool does not wait for when it ends."""


@pytest.fixture(scope="module")
def tables_before(postgres_server_url: str) -> Iterator[tuple[str, MetaData]]:
    """The URL of a database of the version before, and its tables as that version knows them."""
    url = create_postgres_database(postgres_server_url)
    database = Database(url)
    migrate(database, revision="head-1")
    tables = MetaData()
    tables.reflect(database.engine)
    database.close()
    yield url, tables
    drop_postgres_database(postgres_server_url, url)


@pytest.fixture(scope="module")
def system(tables_before: tuple[str, MetaData]) -> Iterator[SeparateSystem]:
    """All processes started at once on that database."""
    # Not in pytest's folder: the path of a socket must be short.
    with TemporaryDirectory(prefix="rolling-") as name:
        server = EmbeddedServer(Path(name) / "redis")
        url = server.start()
        with SeparateSystem(Path(name), database_url=tables_before[0], redis_url=url) as system:
            yield system
        server.stop()


def test_processes_started_at_once_bring_the_database_up_to_date(system: SeparateSystem) -> None:
    assert all(web.get("/readyz").ok for web in system.webs)
    assert system.complaints() == []


def test_a_rolling_restart_loses_and_doubles_nothing(
    system: SeparateSystem, tmp_path: Path
) -> None:
    load = Load(system, "rolling", tmp_path / "truth")
    with Capture(system.url) as capture:
        load.begin()
        load.add_agent("long", seconds=LONG_SECONDS)
        codes = {name: _restart(system, load, name) for name in system.parts}
        load.end()
        wait_until(lambda: not unended(system.database, load), seconds=30)
        with suppress(AssertionError):  # the judge says what is missing
            wait_until(lambda: told_all(system.database, load, capture))

    assert violations(system.database, load, capture) == []
    assert capture.resyncs == 0
    assert set(codes.values()) == {0}
    assert system.complaints() == []
    assert _retries_used(system.database, load) == 0
    assert _handed_back(system.database, load) >= EACH


def test_the_version_before_can_write_what_it_knows(
    system: SeparateSystem, tables_before: tuple[str, MetaData]
) -> None:
    """Every row is written again by the columns the version before knows, and no others."""
    _, tables = tables_before
    written = {table.name for table in tables.sorted_tables if _write_again(system, table)}
    assert {"agents", "fleet", "schedules", "sessions", "attempts", "session_events"} <= written


def _restart(system: SeparateSystem, load: Load, name: str) -> int:
    """Restart a process while it is at work."""
    load.run("flaky")
    load.run("manual")
    if name.startswith("pool"):
        long = {load.run("long") for _ in range(WORKERS + 1)}  # more than fit into the other pool
        wait_until(lambda: _runs_any(system, load, name, long))
    return system.restart(name)


def _runs_any(system: SeparateSystem, load: Load, name: str, sessions: set[str]) -> bool:
    """Whether a process has an agent of one of these sessions below it."""
    process = system.parts[name].process
    assert process is not None
    agents = {pid for _, session, _, pid in unended_agents(load.truth) if session in sessions}
    return any(child.pid in agents for child in process.children(recursive=True))


def _retries_used(database: Database, load: Load) -> int:
    """By agents that never fail."""
    steady = [agent for agent in load.agents if not agent.endswith("flaky")]
    query = select(AgentSession.failures).where(AgentSession.agent_id.in_(steady))
    with database.read() as db:
        return sum(db.scalars(query))


def _handed_back(database: Database, load: Load) -> int:
    query = (
        select(Attempt)
        .join(AgentSession, AgentSession.id == Attempt.session_id)
        .where(AgentSession.agent_id.in_(load.agents), Attempt.outcome == AttemptEnd.HANDED_BACK)
    )
    with database.read() as db:
        return len(db.scalars(query).all())


def _write_again(system: SeparateSystem, table: Table) -> bool:
    """Replace a row by its like, and change it; False if there is none."""
    with system.database.engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))  # no foreign keys
        row = connection.execute(select(table).limit(1)).mappings().first()
        if row is not None:
            same = [column == row[column.name] for column in table.primary_key]
            assert connection.execute(delete(table).where(*same)).rowcount == 1
            connection.execute(insert(table).values(row))
            assert connection.execute(update(table).where(*same).values(row)).rowcount == 1
        connection.rollback()
    return row is not None
