"""Table `agents`: what can be run."""

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base, JsonObject
from neonhub.models.types import BigKey


class Agent(Base):
    """An agent: the class that runs it and that class's settings.

    Removed softly, because its sessions outlive it; the slug is free again at once.
    """

    __tablename__ = "agents"
    __table_args__ = (
        Index(
            "uq_agents_slug",
            "slug",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    slug: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(63))
    config: Mapped[JsonObject]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
