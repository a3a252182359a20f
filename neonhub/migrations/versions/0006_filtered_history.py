"""Filtered history: an agent's sessions of one status, or asked for, are found along an index.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ENDED = sa.text("status NOT IN ('QUEUED', 'RETRYING', 'RUNNING')")
ASKED_FOR = sa.text("trigger <> 'SCHEDULE'")
HISTORY = ("agent_key", "queued_at", "id")


def upgrade() -> None:
    """Take this step."""
    op.drop_index("ix_sessions_agent_history", "sessions")
    _index("ix_sessions_agent_history", *HISTORY, "trigger")
    _index(
        "ix_sessions_agent_status", "agent_key", "status", "queued_at", "id", "trigger", of=ENDED
    )
    _index("ix_sessions_agent_trigger", "agent_key", "trigger", "queued_at", "id", of=ASKED_FOR)


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("ix_sessions_agent_trigger", "sessions")
    op.drop_index("ix_sessions_agent_status", "sessions")
    op.drop_index("ix_sessions_agent_history", "sessions")
    _index("ix_sessions_agent_history", *HISTORY)


def _index(name: str, *columns: str, of: sa.TextClause | None = None) -> None:
    op.create_index(name, "sessions", list(columns), sqlite_where=of, postgresql_where=of)
