"""Sessions inserted fast: PostgreSQL no longer looks up what a firing has just joined.

Agents and schedules are removed softly, so what a session names stays. On SQLite the constraints
stay: there they cost little, and dropping them would rebuild the table.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEYS = {"agent_key": ("agents", "key"), "schedule_id": ("schedules", "id")}


def upgrade() -> None:
    """Take this step."""
    if op.get_context().dialect.name == "postgresql":
        for column in KEYS:
            op.drop_constraint(f"fk_sessions_{column}", "sessions", type_="foreignkey")


def downgrade() -> None:
    """Take this step back."""
    if op.get_context().dialect.name == "postgresql":
        for column, (table, key) in KEYS.items():
            op.create_foreign_key(f"fk_sessions_{column}", "sessions", table, [column], [key])
