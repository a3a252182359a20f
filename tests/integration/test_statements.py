"""Statements run past SQLAlchemy behave as those it runs."""

import pytest
from sqlalchemy import bindparam, insert, literal, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from neonhub.database import Database, connection_of
from neonhub.models import Agent, Schedule
from neonhub.models.types import UtcDateTime
from neonhub.statements import run
from tests.factories import NOW, add_agent, add_schedule

COLUMNS = (Agent.key, Agent.slug, Agent.config, Agent.created_at, Agent.deleted_at)
CREATED = select(*COLUMNS).where(Agent.created_at == bindparam("at", type_=UtcDateTime()))
COPIED = insert(Agent).from_select(
    [each.key for each in Agent.__table__.columns], select(Agent.__table__)
)


def test_rows_are_as_sqlalchemy_gives_them(database: Database) -> None:
    add_agent(database, depth=[1, None], name="ünï")
    with database.begin() as db:
        connection, _ = connection_of(db)
        (row,) = run(connection, CREATED, {"at": NOW})
        assert tuple(row) == tuple(connection.execute(CREATED, {"at": NOW}).one())
        assert row.created_at == NOW
        assert row.config["depth"] == [1, None]


def test_numbers_are_what_their_columns_say(database: Database) -> None:
    add_schedule(database, add_agent(database), interval="90s", interval_seconds=90.5)
    columns = (Schedule.interval_seconds, Schedule.max_runs, Schedule.skip_next)
    with database.begin() as db:
        (row,) = run(connection_of(db)[0], select(*columns), {})
    assert [type(value) for value in row] == [float, type(None), bool]


def test_what_returns_no_rows_gives_none(database: Database) -> None:
    with database.begin() as db:
        assert run(connection_of(db)[0], COPIED, {}) == []


def test_a_refusal_is_sqlalchemys_own(database: Database) -> None:
    add_agent(database)
    with pytest.raises(IntegrityError), database.begin() as db:
        run(connection_of(db)[0], COPIED, {})
    with database.begin() as db:
        assert len(run(connection_of(db)[0], CREATED, {"at": NOW})) == 1


def test_a_connection_that_ends_in_between_is_given_up(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    version = select(literal(1).label("one"))
    with pytest.raises(OperationalError) as caught, database.begin() as db:
        connection, _ = connection_of(db)
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        with other.begin() as killer:
            killer.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
        run(connection, version, {})
    assert caught.value.connection_invalidated
    with database.begin() as db:
        assert len(run(connection_of(db)[0], version, {})) == 1
    other.close()
    database.close()
