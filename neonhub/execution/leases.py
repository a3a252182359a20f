"""Renewing the lease of a running attempt, and what a renewal brings back and forth."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from neonhub.database import Database, changed_rows
from neonhub.execution.claims import Claim
from neonhub.models import AgentSession, Attempt


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the database said when a lease was renewed."""

    is_mine: bool  # False: the attempt was given up as lost; whoever holds it is a ghost now
    stop_requested: bool


def renew(
    database: Database,
    claim: Claim,
    *,
    progress: float | None,
    progress_message: str | None,
    now: datetime,
) -> Renewal:
    """Renew an attempt's lease and store how far it is.

    Args:
        progress: Percent, 0 to 100; None where nothing was reported yet.
        now: Timezone-aware instant the lease is counted from.
    """
    lease = (
        update(Attempt)
        .where(
            Attempt.session_id == claim.session_id,
            Attempt.number == claim.attempt,
            Attempt.token == claim.token,
            Attempt.finished_at.is_(None),
        )
        .values(lease_until=now + timedelta(milliseconds=claim.lease_ms))
    )
    with database.begin() as db:
        if not changed_rows(db, lease):
            return Renewal(is_mine=False, stop_requested=False)
        mine = AgentSession.id == claim.session_id
        if progress is not None:
            values = {"progress": progress, "progress_message": progress_message}
            db.execute(update(AgentSession).where(mine).values(values))
        asked = db.scalars(select(AgentSession.stop_requested_at).where(mine)).one()
        return Renewal(is_mine=True, stop_requested=asked is not None)
