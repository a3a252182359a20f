"""Makes room for a tick whose schedule replaces what runs."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from neonhub.domain.states import HoldReason, Reason
from neonhub.execution.outbox import Outbox
from neonhub.execution.stops import stop
from neonhub.models import AgentSession


def stop_replaced(
    db: Session, schedule_ids: Collection[str], outbox: Outbox, *, now: datetime
) -> None:
    """Stop what runs and what waits of schedules; a backfill waits on.

    One that runs is asked to end, and releases the new session when it has.
    """
    if not schedule_ids:
        return
    hold = AgentSession.hold_reason
    query = (
        select(AgentSession)
        .where(
            AgentSession.schedule_id.in_(schedule_ids),
            AgentSession.finished_at.is_(None),
            or_(hold.is_(None), hold != HoldReason.BACKFILL),
        )
        .order_by(AgentSession.id)
        .with_for_update()
    )
    for session in db.scalars(query).all():
        stop(db, session, outbox, reason=Reason.REPLACED, now=now)
