"""Retention: a schedule knows how far its ticks' rows are gone, and keys are found by session.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from neonhub.models.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take this step."""
    op.add_column("schedules", sa.Column("pruned_until", UtcDateTime()))
    op.create_index("ix_idempotency_keys_session_id", "idempotency_keys", ["session_id"])


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("ix_idempotency_keys_session_id", "idempotency_keys")
    op.drop_column("schedules", "pruned_until")
