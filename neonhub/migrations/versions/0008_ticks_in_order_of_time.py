"""Ticks in order of time: a firing appends to their index, wherever its schedules lie.

Led by the schedule, each row of a firing went to a page of its own, of two indexes, and the more
sessions there were, the more it cost. What looks for a schedule's rows knows the tick, or looks for
the few rows that ticks share, or for runs, which have smaller indexes.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DECIDED = sa.text("trigger = 'SCHEDULE'")
SHARED = sa.text("missed_from IS NOT NULL")
RAN = sa.text("started_at IS NOT NULL")


def upgrade() -> None:
    """Take this step."""
    op.drop_index("uq_sessions_tick", "sessions")
    op.drop_index("ix_sessions_schedule_history", "sessions")
    op.drop_index("ix_sessions_firings", "sessions")
    _index("uq_sessions_tick", "tick_at", "schedule_id", of=DECIDED, unique=True)
    _index("ix_sessions_shared", "schedule_id", "tick_at", of=SHARED)
    _index("ix_sessions_runs", "schedule_id", "queued_at", of=RAN)


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("ix_sessions_runs", "sessions")
    op.drop_index("ix_sessions_shared", "sessions")
    op.drop_index("uq_sessions_tick", "sessions")
    _index("uq_sessions_tick", "schedule_id", "tick_at", of=DECIDED, unique=True)
    _index("ix_sessions_schedule_history", "schedule_id", "queued_at")
    _index("ix_sessions_firings", "queued_at", of=DECIDED)


def _index(name: str, *columns: str, of: sa.TextClause | None = None, unique: bool = False) -> None:
    where = {"sqlite_where": of, "postgresql_where": of}
    op.create_index(name, "sessions", list(columns), unique=unique, **where)
