"""Table `fleet`: the one row all processes share."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base
from neonhub.models.types import BigKey


class Fleet(Base):
    """Limits all share, the pause of the whole scheduler, and its count of firings."""

    __tablename__ = "fleet"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    max_concurrent: Mapped[int]
    backoff_base_ms: Mapped[int]
    backoff_max_ms: Mapped[int]
    stop_grace_ms: Mapped[int]
    lease_ms: Mapped[int]
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None] = mapped_column(String(500))
    fired_total: Mapped[int] = mapped_column(BigKey, default=0)
