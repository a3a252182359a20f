"""An index of the sessions that are held for a slot: who ends one looks whether there are any.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HELD = sa.text("hold_reason = 'slot'")


def upgrade() -> None:
    """Take this step."""
    op.create_index(
        "ix_sessions_held_for_slot",
        "sessions",
        ["priority_rank", "queued_at", "id"],
        sqlite_where=HELD,
        postgresql_where=HELD,
    )


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("ix_sessions_held_for_slot", "sessions")
