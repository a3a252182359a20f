"""The migration chain and the models say the same."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from neonhub.database import Database
from neonhub.migrations import is_migrated, migrate, newest_revision
from neonhub.migrations.chain import config
from neonhub.models import Base, Schedule
from tests.factories import add_agent, add_schedule


def test_the_chain_ends_at_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


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
