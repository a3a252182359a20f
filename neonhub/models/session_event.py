"""Table `session_events`: a session's log, and the lifecycle events everyone watches."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base, JsonObject
from neonhub.models.types import BigKey, Id


class SessionEvent(Base):
    """A line of a session's log, written in the transaction it reports.

    `event` names a lifecycle event (`agent:started`, …) that goes to the WebSocket after the
    commit; it is NULL for what an agent logs itself, so no agent can forge one.
    """

    __tablename__ = "session_events"
    __table_args__ = (
        Index("ix_session_events_session_id_id", "session_id", "id"),
        Index(
            "ix_session_events_lifecycle",
            "created_at",
            sqlite_where=text("event IS NOT NULL"),
            postgresql_where=text("event IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    session_id: Mapped[str | None] = mapped_column(Id, ForeignKey("sessions.id"))
    agent_id: Mapped[str | None] = mapped_column(String(63))
    schedule_id: Mapped[str | None] = mapped_column(Id)
    attempt: Mapped[int | None]
    event: Mapped[str | None] = mapped_column(String(32))
    type: Mapped[str] = mapped_column(String(100))
    level: Mapped[str] = mapped_column(String(8), default="info")
    message: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[JsonObject]
    created_at: Mapped[datetime]
