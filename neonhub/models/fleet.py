"""Table `fleet`: the one row all processes share."""

from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from neonhub.models.base import Base
from neonhub.models.types import BigKey


def _limit(default: int) -> MappedColumn[int]:
    # With a default of the table's, as processes of the version before know nothing of it.
    return mapped_column(default=default, server_default=str(default))


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
    max_memory_bytes: Mapped[int | None] = mapped_column(BigKey)
    max_input_bytes: Mapped[int] = _limit(1_048_576)
    max_result_bytes: Mapped[int] = _limit(1_048_576)
    max_log_lines: Mapped[int] = _limit(10_000)
    max_log_line_bytes: Mapped[int] = _limit(16_384)
    max_events_per_second: Mapped[int] = _limit(20)
    max_queued: Mapped[int] = _limit(10_000)
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str | None] = mapped_column(String(500))
    fired_total: Mapped[int] = mapped_column(BigKey, default=0)
