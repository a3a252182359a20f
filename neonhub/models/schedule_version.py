"""Table `schedule_versions`: what was in force when."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base, JsonObject
from neonhub.models.types import Id


class ScheduleVersion(Base):
    """A schedule's body from `valid_from` until the next version's, for explain and audit."""

    __tablename__ = "schedule_versions"

    schedule_id: Mapped[str] = mapped_column(Id, ForeignKey("schedules.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[datetime]
    body: Mapped[JsonObject]
