"""Decides what is due before something changes how it would be decided."""

from collections.abc import Sequence
from datetime import datetime

from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.execution.outbox import Outbox
from neonhub.models import Schedule
from neonhub.scheduling.decide import decide_ticks

BATCH = 500


def settle(db: Session, schedule_ids: Sequence[str], now: datetime) -> Outbox:
    """Decide what is due of some schedules as they are, within the caller's transaction.

    The schedules stay locked until it ends. To be called before they are read as objects.
    """
    return decide_ticks(db, dict.fromkeys(schedule_ids), now).outbox


def settle_all(database: Database, redis: Redis, now: datetime) -> None:
    """Decide everything that is due, a batch a transaction."""
    after = ""
    while True:
        with database.begin() as db:
            due = select(Schedule.id).where(Schedule.next_run_at <= now, Schedule.id > after)
            batch = list(db.scalars(due.order_by(Schedule.id).limit(BATCH)))
            outbox = settle(db, batch, now)
        outbox.deliver(redis)
        if len(batch) < BATCH:
            return
        after = batch[-1]
