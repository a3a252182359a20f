"""Stopping a session, wherever it stands."""

from datetime import datetime

from sqlalchemy.orm import Session

from neonhub.domain.states import SessionStatus
from neonhub.errors import SessionEnded
from neonhub.execution.endings import end_session, failed_event
from neonhub.execution.outbox import Outbox
from neonhub.models import AgentSession
from neonhub.redis.keys import STOP_PREFIX
from neonhub.redis.queues import TimerMove


def stop(
    db: Session, session: AgentSession, outbox: Outbox, *, reason: str | None, now: datetime
) -> None:
    """Stop a locked session: one that waits ends at once, one that runs is asked to finish.

    Asking twice is harmless; the first reason stays.

    Args:
        reason: What the ended session says, such as `replaced`; None for a person's stop.

    Raises:
        SessionEnded: It has ended already.
    """
    if SessionStatus(session.status).is_ended:
        raise SessionEnded(f"Session {session.id} has ended already: it is {session.status}.")
    if session.stop_requested_at is None:
        session.stop_requested_at = now
        session.stop_reason = reason
    if session.status == SessionStatus.RUNNING:
        outbox.signals.append(STOP_PREFIX + session.id)
        return
    was_retrying = session.status == SessionStatus.RETRYING
    session.status = SessionStatus.STOPPED
    session.reason = session.stop_reason
    end_session(db, session, outbox, now=now)
    outbox.tell(db, [failed_event(session, now=now)], now=now)
    if was_retrying:
        outbox.moves.append(TimerMove(f"retry:{session.id}", claimed_score=None, score=None))
