"""Table `sessions`: every decided tick and every run asked for."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKeyConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.domain.states import ACTIVE, HoldReason, Priority, SessionStatus, Trigger
from neonhub.models.base import Base, JsonObject
from neonhub.models.types import BigKey, Id, Json, is_none_of, is_one_of, one_of

_ACTIVE = sorted(ACTIVE)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _on_sqlite(column: str, key: str) -> ForeignKeyConstraint:
    found = ForeignKeyConstraint([column], [key], info={"dialect": "sqlite"})
    found.ddl_if(dialect="sqlite")
    return found


DECIDED = "trigger = 'SCHEDULE'"
"""Rows of ticks that were decided: one for each tick."""

BACKFILLED = "trigger = 'BACKFILL' AND (status <> 'STOPPED' OR started_at IS NOT NULL)"
"""Rows of ticks that are backfilled, but for those stopped before they ran: one for each tick."""

ENDED = is_none_of("status", _ACTIVE)
"""Rows to which nothing happens any more, in terms of a column that is in their index."""

# SQLite does not see that a status given beside the statement is that of an index, and PostgreSQL
# not once it has planned for any: what is to be found by these indexes says so in these words.
QUEUED = "status = 'QUEUED'"
"""Rows that wait for a worker, or are held."""

RETRYING = "status = 'RETRYING'"
"""Rows that wait for their next attempt."""

ASKED_FOR = "trigger <> 'SCHEDULE'"
"""Rows that somebody asked for."""


class AgentSession(Base):
    """One execution of an agent, from the decision to its end.

    `attempt` is the number of the present or next start; it grows with every start, whatever
    ended the one before. `pushes` counts the jobs made for it, so that each has an id of its own.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        one_of("status", SessionStatus),
        one_of("trigger", Trigger),
        one_of("hold_reason", HoldReason),
        one_of("priority", Priority),
        # Each firing has just joined what it names, and both are only removed softly: PostgreSQL
        # would spend a fourth of the insert on looking again. SQLite keeps what costs it little.
        _on_sqlite("agent_key", "agents.key"),
        _on_sqlite("schedule_id", "schedules.id"),
        CheckConstraint(
            f"({is_one_of('status', _ACTIVE)}) = (finished_at IS NULL)",
            name="ended_ones_have_an_end",
        ),
        CheckConstraint("hold_reason IS NULL OR status = 'QUEUED'", name="only_queued_are_held"),
        CheckConstraint(
            "(status = 'RETRYING') = (next_attempt_at IS NOT NULL)", name="retrying_has_an_instant"
        ),
        Index(
            # The instant first, so that a firing appends to it, however its schedules lie.
            "uq_sessions_tick",
            "tick_at",
            "schedule_id",
            unique=True,
            **_where(DECIDED),
        ),
        Index(
            "uq_sessions_backfill",
            "schedule_id",
            "tick_at",
            unique=True,
            **_where(BACKFILLED),
        ),
        Index(
            "ix_sessions_active",
            "schedule_id",
            "hold_reason",
            "scheduled_for",
            **_where("finished_at IS NULL"),
        ),
        Index("ix_sessions_waiting", "priority_rank", "queued_at", "id", **_where(QUEUED)),
        Index(
            "ix_sessions_held_for_slot",
            "priority_rank",
            "queued_at",
            "id",
            **_where("hold_reason = 'slot'"),
        ),
        Index("ix_sessions_queued", "agent_key", "hold_reason", **_where(QUEUED)),
        Index("ix_sessions_retrying", "next_attempt_at", **_where(RETRYING)),
        # With the trigger, so that what is filtered by it is counted from the index alone.
        Index("ix_sessions_agent_history", "agent_key", "queued_at", "id", "trigger"),
        Index(
            "ix_sessions_agent_status",
            "agent_key",
            "status",
            "queued_at",
            "id",
            "trigger",
            **_where(ENDED),
        ),
        Index(
            "ix_sessions_agent_trigger",
            "agent_key",
            "trigger",
            "queued_at",
            "id",
            **_where(ASKED_FOR),
        ),
        Index("ix_sessions_shared", "schedule_id", "tick_at", **_where("missed_from IS NOT NULL")),
        Index("ix_sessions_runs", "schedule_id", "queued_at", **_where("started_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    agent_key: Mapped[int] = mapped_column(BigKey)
    agent_id: Mapped[str] = mapped_column(String(63))
    schedule_id: Mapped[str | None] = mapped_column(Id)
    tick_at: Mapped[datetime | None]
    scheduled_for: Mapped[datetime | None]
    trigger: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(500))
    hold_reason: Mapped[str | None] = mapped_column(String(16))
    priority: Mapped[str] = mapped_column(String(16))
    priority_rank: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=1)
    max_retries: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    timeout_seconds: Mapped[int]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    progress: Mapped[float | None] = mapped_column(Float)
    progress_message: Mapped[str | None] = mapped_column(String(1000))
    worker: Mapped[str | None] = mapped_column(String(200))
    input: Mapped[JsonObject]
    result: Mapped[Any | None] = mapped_column(Json)
    error: Mapped[JsonObject | None]
    missed_count: Mapped[int | None]
    missed_from: Mapped[datetime | None]
    retry_of: Mapped[str | None] = mapped_column(Id)
    pushes: Mapped[int] = mapped_column(default=0)
    pushed_at: Mapped[datetime | None]
    stop_requested_at: Mapped[datetime | None]
    stop_reason: Mapped[str | None] = mapped_column(String(500))
