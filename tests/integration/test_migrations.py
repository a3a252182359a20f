"""The migration chain and the models say the same."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from neonhub.database import Database
from neonhub.migrations import is_migrated, migrate
from neonhub.models import Base


def test_the_chain_ends_at_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.engine.connect() as connection:
        assert is_migrated(connection)
