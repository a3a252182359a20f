"""Table `slots`: the permits that bound how many agents run at once."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from neonhub.models.base import Base
from neonhub.models.types import Id


class Slot(Base):
    """One permit; there are as many rows as agents may run at once in the whole fleet.

    Free when `session_id` is NULL. Reserved for a session that was held, until `reserved_until`;
    taken by a running one when `reserved_until` is NULL.
    """

    __tablename__ = "slots"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[str | None] = mapped_column(Id, unique=True)
    reserved_until: Mapped[datetime | None]
