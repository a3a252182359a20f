"""Table `schedules`: when an agent runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from neonhub.domain.states import CatchUp, Overlap, Priority
from neonhub.models.agent import Agent
from neonhub.models.base import Base, JsonObject
from neonhub.models.types import BigKey, Id, Json, one_of


class Schedule(Base):
    """One schedule of an agent, as the client wrote it, and where it stands.

    `next_tick_at` is the next undecided tick, `next_run_at` the same moved by jitter; both are
    NULL when the schedule is disabled, done or removed, so the index of due ones holds no others.
    `pruned_until` is the newest tick whose row is pruned: up to it, no row does not mean no run.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        one_of("priority", Priority),
        one_of("overlap", Overlap),
        one_of("catch_up", CatchUp),
        CheckConstraint(
            "(cron_expression IS NOT NULL AND interval_seconds IS NULL AND run_at IS NULL)"
            " OR (cron_expression IS NULL AND interval_seconds IS NOT NULL AND run_at IS NULL)"
            " OR (cron_expression IS NULL AND interval_seconds IS NULL AND run_at IS NOT NULL)",
            name="one_recurrence",
        ),
        CheckConstraint(
            "(enabled AND deleted_at IS NULL) OR next_run_at IS NULL", name="only_live_ones_are_due"
        ),
        CheckConstraint(
            "(next_tick_at IS NULL) = (next_run_at IS NULL)", name="tick_and_run_go_together"
        ),
        Index(
            "uq_schedules_agent_key_name",
            "agent_key",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_schedules_due",
            "priority_rank",
            "next_run_at",
            sqlite_where=text("next_run_at IS NOT NULL"),
            postgresql_where=text("next_run_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    agent_key: Mapped[int] = mapped_column(BigKey, ForeignKey("agents.key"))
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column(default=1)
    enabled: Mapped[bool]
    cron_expression: Mapped[str | None] = mapped_column(String(255))
    interval: Mapped[Any | None] = mapped_column(Json)
    interval_seconds: Mapped[float | None] = mapped_column(Float)
    run_at: Mapped[datetime | None]
    timezone: Mapped[str] = mapped_column(String(64))
    anchor_at: Mapped[datetime | None]
    priority: Mapped[str] = mapped_column(String(16))
    priority_rank: Mapped[int]
    input: Mapped[JsonObject]
    max_retries: Mapped[int]
    timeout_seconds: Mapped[int]
    start_at: Mapped[datetime | None]
    end_at: Mapped[datetime | None]
    max_runs: Mapped[int | None]
    jitter_seconds: Mapped[int]
    overlap: Mapped[str] = mapped_column(String(16))
    catch_up: Mapped[str] = mapped_column(String(16))
    catch_up_window_seconds: Mapped[int]

    next_tick_at: Mapped[datetime | None]
    next_run_at: Mapped[datetime | None]
    run_count: Mapped[int] = mapped_column(default=0)
    skip_next: Mapped[bool] = mapped_column(default=False)
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    pruned_until: Mapped[datetime | None]

    agent: Mapped[Agent] = relationship(lazy="joined", innerjoin=True)
