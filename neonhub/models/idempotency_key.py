"""Table `idempotency_keys`: repeats of run-now that answer the first session."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base
from neonhub.models.types import BigKey, Id


class IdempotencyKey(Base):
    """An `Idempotency-Key` seen for an agent, and the session it made; kept for 24 hours."""

    __tablename__ = "idempotency_keys"

    agent_key: Mapped[int] = mapped_column(BigKey, ForeignKey("agents.key"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    session_id: Mapped[str] = mapped_column(Id, ForeignKey("sessions.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
