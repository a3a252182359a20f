"""Limits of sizes and of what may wait, shared by the fleet.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LIMITS = {
    "max_input_bytes": 1_048_576,
    "max_result_bytes": 1_048_576,
    "max_log_lines": 10_000,
    "max_log_line_bytes": 16_384,
    "max_events_per_second": 20,
    "max_queued": 10_000,
}
QUEUED = sa.text("status = 'QUEUED'")


def upgrade() -> None:
    """Take this step."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("fleet", sa.Column("max_memory_bytes", number))
    for name, default in LIMITS.items():
        column = sa.Column(name, sa.Integer(), nullable=False, server_default=str(default))
        op.add_column("fleet", column)
    op.create_index(
        "ix_sessions_queued",
        "sessions",
        ["agent_key", "hold_reason"],
        sqlite_where=QUEUED,
        postgresql_where=QUEUED,
    )


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("ix_sessions_queued", "sessions")
    for name in (*reversed(LIMITS), "max_memory_bytes"):
        op.drop_column("fleet", name)
