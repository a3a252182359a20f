"""Table `attempts`: every start of a session, with its lease."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base, JsonObject
from neonhub.models.types import Id


class Attempt(Base):
    """One start of a session by one worker; its token proves who may write its end."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index(
            "ix_attempts_lease_until",
            "lease_until",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    session_id: Mapped[str] = mapped_column(Id, ForeignKey("sessions.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(Id)
    worker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[JsonObject | None]


IS_RUNNING = Attempt.outcome.is_(None)
"""To be used with an attempt's key: by `finished_at`, PostgreSQL may read all leases instead."""
