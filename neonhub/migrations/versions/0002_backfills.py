"""Backfills: a tick stopped before it ran may be backfilled again.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = sa.text("trigger = 'BACKFILL'")
AFTER = sa.text("trigger = 'BACKFILL' AND (status <> 'STOPPED' OR started_at IS NOT NULL)")
UNENDED = sa.text("finished_at IS NULL")


def upgrade() -> None:
    """Take this step."""
    _unique_backfills(AFTER)
    _active("schedule_id", "hold_reason", "scheduled_for")


def downgrade() -> None:
    """Take this step back."""
    _unique_backfills(BEFORE)
    _active("schedule_id")


def _unique_backfills(where: sa.TextClause) -> None:
    op.drop_index("uq_sessions_backfill", "sessions")
    op.create_index(
        "uq_sessions_backfill",
        "sessions",
        ["schedule_id", "tick_at"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )


def _active(*columns: str) -> None:
    op.drop_index("ix_sessions_active", "sessions")
    op.create_index(
        "ix_sessions_active",
        "sessions",
        list(columns),
        sqlite_where=UNENDED,
        postgresql_where=UNENDED,
    )
