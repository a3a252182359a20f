"""What schedulers and workers do, a step at a time, at an instant of the test's choice."""

from datetime import datetime

from redis import Redis
from sqlalchemy import select

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.states import SessionStatus
from neonhub.execution.claims import Claim
from neonhub.execution.endings import Outcome
from neonhub.models import AgentSession
from neonhub.scheduling.settling import settle_all
from tests.turns import claim, finish


def decide_due(database: Database, redis: Redis, now: datetime) -> None:
    """A scheduler's look: everything that is due is decided."""
    settle_all(database, redis, now)


def start_waiting(database: Database, now: datetime, *, limit: int = 100) -> list[Claim]:
    """Workers take what waits for nothing but them, most urgent first."""
    query = select(AgentSession).where(
        AgentSession.status == SessionStatus.QUEUED, AgentSession.hold_reason.is_(None)
    )
    ordered = query.order_by(
        AgentSession.priority_rank, AgentSession.queued_at, AgentSession.scheduled_for
    )
    with database.read() as db:
        waiting = list(db.scalars(ordered.limit(limit)))
    taken = [claim(database, s.id, attempt=s.attempt, worker="w", now=now)[0] for s in waiting]
    return [each for each in taken if each is not None]


def end(
    database: Database,
    redis: Redis,
    running: Claim,
    now: datetime,
    outcome: AttemptEnd = AttemptEnd.RETURNED,
) -> None:
    """A worker writes the end of an attempt."""
    outbox = finish(database, running, Outcome(outcome), now=now)
    if outbox is not None:
        outbox.deliver(redis)


def work_off(database: Database, redis: Redis, now: datetime) -> list[str]:
    """Workers run everything that may start, until nothing is left; the ids in that order."""
    order: list[str] = []
    while running := start_waiting(database, now, limit=1):
        order += [each.session_id for each in running]
        for each in running:
            end(database, redis, each, now)
    return order
