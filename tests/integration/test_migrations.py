"""The migration chain and the models say the same."""

from functools import partial
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from neonhub.database import Database
from neonhub.migrations import is_migrated, migrate, newest_revision
from neonhub.migrations.chain import config
from neonhub.models import Base, Schedule
from tests.factories import add_agent, add_schedule


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
