"""The migration chain and the models say the same."""

import sqlite3
from functools import partial
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text, update
from sqlalchemy.exc import IntegrityError

from neonhub.database import Database
from neonhub.migrations import is_migrated, migrate, newest_revision
from neonhub.migrations.chain import config
from neonhub.models import AgentSession, Base, Schedule
from tests.factories import add_agent, add_schedule, add_session


def test_the_chain_ends_at_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_object": partial(_is_of, database)}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def _is_of(database: Database, item: Any, *_: Any) -> bool:
    """Whether this database is to have it: Alembic does not ask a constraint's `ddl_if`."""
    return item.info.get("dialect") in (None, database.engine.dialect.name)


def test_the_step_for_firing_can_be_taken_back(database: Database) -> None:
    with database.engine.begin() as connection:
        command.downgrade(config(connection), "0006")
        assert len(inspect(connection).get_foreign_keys("sessions")) == 2
    migrate(database)
    with database.engine.connect() as connection:
        left = 2 if database.is_sqlite else 0
        assert len(inspect(connection).get_foreign_keys("sessions")) == left


def test_the_step_for_ticks_in_order_of_time_can_be_taken_back(database: Database) -> None:
    def columns() -> list[str | None]:
        with database.engine.connect() as connection:
            found = inspect(connection).get_indexes("sessions")
        return next(each["column_names"] for each in found if each["name"] == "uq_sessions_tick")

    with database.engine.begin() as connection:
        command.downgrade(config(connection), "0007")
    assert columns() == ["schedule_id", "tick_at"]
    migrate(database)
    assert columns() == ["tick_at", "schedule_id"]


def test_sqlite_makes_no_table_of_words_for_each_row(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL compares a list's words one by one.")
    assert lists(database) == []
    session = add_session(database, add_agent(database))
    for wrong in ({"status": "GONE"}, {"status": "COMPLETED"}, {"priority": "normal"}):
        with pytest.raises(IntegrityError), database.begin() as db:
            db.execute(update(AgentSession).where(AgentSession.id == session.id).values(wrong))
    with database.read() as db:
        assert db.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_sqlite_whose_schema_is_guarded_keeps_its_lists(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("Only SQLite's texts are changed.")
    fresh = Database(str(database.engine.url).replace(".db", "-guarded.db"))
    event.listen(fresh.engine, "connect", _guard_schema)
    migrate(fresh)
    assert len(lists(fresh)) == 3
    with fresh.engine.connect() as connection:
        assert is_migrated(connection)
    fresh.close()


def lists(database: Database) -> list[str]:
    """The tables and indexes whose texts have a list of words."""
    with database.read() as db:
        return list(db.scalars(text("SELECT name FROM sqlite_master WHERE sql LIKE '% IN (%'")))


def _guard_schema(connection: Any, _: object) -> None:
    """Refuse to change the schema's own table by hand, as some builds of SQLite do."""
    by_hand = False

    def judge(action: int, first: str | None, second: str | None, *_: object) -> int:
        nonlocal by_hand
        if (action, first) == (sqlite3.SQLITE_PRAGMA, "writable_schema"):
            by_hand = second == "ON"
        is_refused = by_hand and (action, first) == (sqlite3.SQLITE_UPDATE, "sqlite_master")
        return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK

    connection.set_authorizer(judge)


def test_the_newest_revision_is_the_end_of_the_chain(database: Database) -> None:
    with database.engine.connect() as connection:
        chain = ScriptDirectory.from_config(config(connection))
    assert newest_revision() == chain.get_current_head()


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.engine.connect() as connection:
        assert is_migrated(connection)


def test_the_step_for_retention_keeps_schedules_both_ways(database: Database) -> None:
    schedule = add_schedule(database, add_agent(database))
    with database.engine.begin() as connection:
        command.downgrade(config(connection), "0003")
        assert not is_migrated(connection)
    migrate(database)
    with database.read() as db:
        after = db.get_one(Schedule, schedule.id)
    assert (after.next_tick_at, after.pruned_until) == (schedule.next_tick_at, None)
