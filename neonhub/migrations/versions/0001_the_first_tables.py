"""The first tables"""

import sqlalchemy as sa
from alembic import op

from neonhub.models.types import BigKey, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "agents",
        sa.Column("key", BigKey, nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=63), nullable=False),
        sa.Column("config", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_agents")),
    )
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.create_index(
            "uq_agents_slug",
            ["slug"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "fleet",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("max_concurrent", sa.Integer(), nullable=False),
        sa.Column("backoff_base_ms", sa.Integer(), nullable=False),
        sa.Column("backoff_max_ms", sa.Integer(), nullable=False),
        sa.Column("stop_grace_ms", sa.Integer(), nullable=False),
        sa.Column("lease_ms", sa.Integer(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("pause_reason", sa.String(length=500), nullable=True),
        sa.Column("fired_total", BigKey, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_fleet_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet")),
    )
    op.create_table(
        "slots",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=True),
        sa.Column("reserved_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_slots")),
        sa.UniqueConstraint("session_id", name=op.f("uq_slots_session_id")),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agent_key", BigKey, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cron_expression", sa.String(length=255), nullable=True),
        sa.Column("interval", Json, nullable=True),
        sa.Column("interval_seconds", sa.Float(), nullable=True),
        sa.Column("run_at", UtcDateTime(), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("anchor_at", UtcDateTime(), nullable=True),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("priority_rank", sa.Integer(), nullable=False),
        sa.Column("input", Json, nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("start_at", UtcDateTime(), nullable=True),
        sa.Column("end_at", UtcDateTime(), nullable=True),
        sa.Column("max_runs", sa.Integer(), nullable=True),
        sa.Column("jitter_seconds", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(length=16), nullable=False),
        sa.Column("catch_up", sa.String(length=16), nullable=False),
        sa.Column("catch_up_window_seconds", sa.Integer(), nullable=False),
        sa.Column("next_tick_at", UtcDateTime(), nullable=True),
        sa.Column("next_run_at", UtcDateTime(), nullable=True),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("skip_next", sa.Boolean(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("pause_reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "catch_up IN ('LATEST', 'ALL', 'NONE')", name=op.f("ck_schedules_catch_up")
        ),
        sa.CheckConstraint(
            "overlap IN ('SKIP', 'QUEUE_ONE', 'ALLOW', 'REPLACE')",
            name=op.f("ck_schedules_overlap"),
        ),
        sa.CheckConstraint(
            "priority IN ('CRITICAL', 'HIGH', 'NORMAL', 'LOW')", name=op.f("ck_schedules_priority")
        ),
        sa.CheckConstraint(
            "(cron_expression IS NOT NULL AND interval_seconds IS NULL AND run_at IS NULL)"
            " OR (cron_expression IS NULL AND interval_seconds IS NOT NULL AND run_at IS NULL)"
            " OR (cron_expression IS NULL AND interval_seconds IS NULL AND run_at IS NOT NULL)",
            name=op.f("ck_schedules_one_recurrence"),
        ),
        sa.CheckConstraint(
            "(enabled AND deleted_at IS NULL) OR next_run_at IS NULL",
            name=op.f("ck_schedules_only_live_ones_are_due"),
        ),
        sa.CheckConstraint(
            "(next_tick_at IS NULL) = (next_run_at IS NULL)",
            name=op.f("ck_schedules_tick_and_run_go_together"),
        ),
        sa.ForeignKeyConstraint(["agent_key"], ["agents.key"], name=op.f("fk_schedules_agent_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.create_index(
            "ix_schedules_due",
            ["priority_rank", "next_run_at"],
            unique=False,
            sqlite_where=sa.text("next_run_at IS NOT NULL"),
            postgresql_where=sa.text("next_run_at IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_schedules_agent_key_name",
            ["agent_key", "name"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "schedule_versions",
        sa.Column("schedule_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_schedule_versions_schedule_id")
        ),
        sa.PrimaryKeyConstraint("schedule_id", "version", name=op.f("pk_schedule_versions")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agent_key", BigKey, nullable=False),
        sa.Column("agent_id", sa.String(length=63), nullable=False),
        sa.Column("schedule_id", sa.String(length=32), nullable=True),
        sa.Column("tick_at", UtcDateTime(), nullable=True),
        sa.Column("scheduled_for", UtcDateTime(), nullable=True),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("hold_reason", sa.String(length=16), nullable=True),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("priority_rank", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("progress_message", sa.String(length=1000), nullable=True),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("input", Json, nullable=False),
        sa.Column("result", Json, nullable=True),
        sa.Column("error", Json, nullable=True),
        sa.Column("missed_count", sa.Integer(), nullable=True),
        sa.Column("missed_from", UtcDateTime(), nullable=True),
        sa.Column("retry_of", sa.String(length=32), nullable=True),
        sa.Column("pushes", sa.Integer(), nullable=False),
        sa.Column("pushed_at", UtcDateTime(), nullable=True),
        sa.Column("stop_requested_at", UtcDateTime(), nullable=True),
        sa.Column("stop_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "(status = 'RETRYING') = (next_attempt_at IS NOT NULL)",
            name=op.f("ck_sessions_retrying_has_an_instant"),
        ),
        sa.CheckConstraint(
            "(status IN ('QUEUED', 'RETRYING', 'RUNNING')) = (finished_at IS NULL)",
            name=op.f("ck_sessions_ended_ones_have_an_end"),
        ),
        sa.CheckConstraint(
            "hold_reason IN ('slot', 'overlap', 'catch_up', 'backfill')",
            name=op.f("ck_sessions_hold_reason"),
        ),
        sa.CheckConstraint(
            "hold_reason IS NULL OR status = 'QUEUED'",
            name=op.f("ck_sessions_only_queued_are_held"),
        ),
        sa.CheckConstraint(
            "priority IN ('CRITICAL', 'HIGH', 'NORMAL', 'LOW')", name=op.f("ck_sessions_priority")
        ),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'RETRYING', 'COMPLETED', 'FAILED', 'STOPPED',"
            " 'SKIPPED', 'MISSED')",
            name=op.f("ck_sessions_status"),
        ),
        sa.CheckConstraint(
            "trigger IN ('SCHEDULE', 'MANUAL', 'RETRY', 'BACKFILL')",
            name=op.f("ck_sessions_trigger"),
        ),
        sa.ForeignKeyConstraint(["agent_key"], ["agents.key"], name=op.f("fk_sessions_agent_key")),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_sessions_schedule_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sessions_active",
            ["schedule_id"],
            unique=False,
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        )
        batch_op.create_index(
            "ix_sessions_agent_history", ["agent_key", "queued_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_sessions_firings",
            ["queued_at"],
            unique=False,
            sqlite_where=sa.text("trigger = 'SCHEDULE'"),
            postgresql_where=sa.text("trigger = 'SCHEDULE'"),
        )
        batch_op.create_index(
            "ix_sessions_retrying",
            ["next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("status = 'RETRYING'"),
            postgresql_where=sa.text("status = 'RETRYING'"),
        )
        batch_op.create_index(
            "ix_sessions_schedule_history", ["schedule_id", "queued_at"], unique=False
        )
        batch_op.create_index(
            "ix_sessions_waiting",
            ["priority_rank", "queued_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'QUEUED'"),
            postgresql_where=sa.text("status = 'QUEUED'"),
        )
        batch_op.create_index(
            "uq_sessions_backfill",
            ["schedule_id", "tick_at"],
            unique=True,
            sqlite_where=sa.text("trigger = 'BACKFILL'"),
            postgresql_where=sa.text("trigger = 'BACKFILL'"),
        )
        batch_op.create_index(
            "uq_sessions_tick",
            ["schedule_id", "tick_at"],
            unique=True,
            sqlite_where=sa.text("trigger = 'SCHEDULE'"),
            postgresql_where=sa.text("trigger = 'SCHEDULE'"),
        )

    op.create_table(
        "attempts",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("error", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_attempts_session_id")
        ),
        sa.PrimaryKeyConstraint("session_id", "number", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_attempts_lease_until",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        )

    op.create_table(
        "idempotency_keys",
        sa.Column("agent_key", BigKey, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_key"], ["agents.key"], name=op.f("fk_idempotency_keys_agent_key")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_idempotency_keys_session_id")
        ),
        sa.PrimaryKeyConstraint("agent_key", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False
        )

    op.create_table(
        "session_events",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=True),
        sa.Column("agent_id", sa.String(length=63), nullable=True),
        sa.Column("schedule_id", sa.String(length=32), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(length=32), nullable=True),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_events_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_events")),
    )
    with op.batch_alter_table("session_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_session_events_lifecycle",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("event IS NOT NULL"),
            postgresql_where=sa.text("event IS NOT NULL"),
        )
        batch_op.create_index("ix_session_events_session_id_id", ["session_id", "id"], unique=False)


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("session_events", schema=None) as batch_op:
        batch_op.drop_index("ix_session_events_session_id_id")
        batch_op.drop_index(
            "ix_session_events_lifecycle",
            sqlite_where=sa.text("event IS NOT NULL"),
            postgresql_where=sa.text("event IS NOT NULL"),
        )

    op.drop_table("session_events")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_created_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_attempts_lease_until",
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        )

    op.drop_table("attempts")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_sessions_tick",
            sqlite_where=sa.text("trigger = 'SCHEDULE'"),
            postgresql_where=sa.text("trigger = 'SCHEDULE'"),
        )
        batch_op.drop_index(
            "uq_sessions_backfill",
            sqlite_where=sa.text("trigger = 'BACKFILL'"),
            postgresql_where=sa.text("trigger = 'BACKFILL'"),
        )
        batch_op.drop_index(
            "ix_sessions_waiting",
            sqlite_where=sa.text("status = 'QUEUED'"),
            postgresql_where=sa.text("status = 'QUEUED'"),
        )
        batch_op.drop_index("ix_sessions_schedule_history")
        batch_op.drop_index(
            "ix_sessions_retrying",
            sqlite_where=sa.text("status = 'RETRYING'"),
            postgresql_where=sa.text("status = 'RETRYING'"),
        )
        batch_op.drop_index(
            "ix_sessions_firings",
            sqlite_where=sa.text("trigger = 'SCHEDULE'"),
            postgresql_where=sa.text("trigger = 'SCHEDULE'"),
        )
        batch_op.drop_index("ix_sessions_agent_history")
        batch_op.drop_index(
            "ix_sessions_active",
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        )

    op.drop_table("sessions")
    op.drop_table("schedule_versions")
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_schedules_agent_key_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_schedules_due",
            sqlite_where=sa.text("next_run_at IS NOT NULL"),
            postgresql_where=sa.text("next_run_at IS NOT NULL"),
        )

    op.drop_table("schedules")
    op.drop_table("slots")
    op.drop_table("fleet")
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_agents_slug",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("agents")
