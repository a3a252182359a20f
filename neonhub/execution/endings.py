"""Writing the end of an attempt, and setting free whoever waited for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from neonhub.database import Database, changed_rows
from neonhub.domain.endings import AttemptEnd, NextState, Standing, after_attempt
from neonhub.domain.instant import text_of
from neonhub.domain.states import SessionStatus
from neonhub.execution.claims import Claim
from neonhub.execution.fleet import get_fleet
from neonhub.execution.holds import next_push, release_of_schedule
from neonhub.execution.outbox import Outbox
from neonhub.execution.slots import free_slot
from neonhub.models import Agent, AgentSession, Attempt
from neonhub.redis.counters import EndedSession
from neonhub.redis.queues import TimerMove


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, and what it left."""

    end: AttemptEnd
    result: Any = None
    error: dict[str, Any] | None = None  # {type, message, traceback}
    progress: float | None = None
    progress_message: str | None = None


def finish(database: Database, claim: Claim, outcome: Outcome, *, now: datetime) -> Outbox | None:
    """Write an attempt's end with its token.

    Returns:
        What to deliver after the commit, or None if the attempt was given up as lost before, or
        its session even pruned: a ghost changes nothing.
    """
    outbox = Outbox()
    with database.begin() as db:
        session = lock_session(db, claim.session_id)
        ended = session is not None and end_attempt(
            db, session, claim.attempt, claim.token, outcome, outbox, now=now
        )
    return outbox if ended else None


def end_attempt(
    db: Session,
    session: AgentSession,
    number: int,
    token: str,
    outcome: Outcome,
    outbox: Outbox,
    *,
    now: datetime,
) -> bool:
    """End one attempt of a locked session and move the session on.

    Returns:
        False if the attempt has ended already, or the token is another's.
    """
    theirs = (
        Attempt.session_id == session.id,
        Attempt.number == number,
        Attempt.token == token,
        Attempt.finished_at.is_(None),
    )
    values = {"finished_at": now, "outcome": outcome.end, "error": outcome.error}
    if not changed_rows(db, update(Attempt).where(*theirs).values(values)):
        return False
    state = after_attempt(outcome.end, _standing(db, session), now)
    _apply(session, state, outcome)
    if state.status.is_ended:
        end_session(db, session, outbox, now=now)
        _tell(db, session, outcome, outbox, now)
    else:
        outbox.jobs += free_slot(db, session.id, now=now)
        _tell(db, session, outcome, outbox, now)
        _go_on(session, outbox, now)
    return True


def end_session(db: Session, session: AgentSession, outbox: Outbox, *, now: datetime) -> None:
    """Close a session whose status is an ended one, and release those it held up."""
    session.finished_at = now
    session.hold_reason = None
    session.next_attempt_at = None
    db.flush()
    outbox.ended.append(_ended(session, now))
    outbox.jobs += free_slot(db, session.id, now=now)
    outbox.jobs += release_of_schedule(db, session.schedule_id, now=now)


def lock_session(db: Session, session_id: str) -> AgentSession | None:
    """The session with a lock on its row, or None if there is none."""
    query = select(AgentSession).where(AgentSession.id == session_id).with_for_update()
    return db.scalars(query).one_or_none()


def _ended(session: AgentSession, now: datetime) -> EndedSession:
    took = (now - session.started_at).total_seconds() if session.started_at else None
    return EndedSession(session.agent_id, session.status, took)


def _standing(db: Session, session: AgentSession) -> Standing:
    fleet = get_fleet(db)
    return Standing(
        failures=session.failures,
        losses=session.losses,
        # Nobody starts a removed agent again; what runs was left to finish.
        max_retries=0 if _is_removed(db, session) else session.max_retries,
        stop_requested=session.stop_requested_at is not None,
        stop_reason=session.stop_reason,
        backoff_base_ms=fleet.backoff_base_ms,
        backoff_max_ms=fleet.backoff_max_ms,
    )


def _is_removed(db: Session, session: AgentSession) -> bool:
    return db.get_one(Agent, session.agent_key).deleted_at is not None


def _apply(session: AgentSession, state: NextState, outcome: Outcome) -> None:
    session.status = state.status
    session.reason = state.reason
    session.failures = state.failures
    session.losses = state.losses
    session.next_attempt_at = state.next_attempt_at
    session.error = outcome.error
    session.result = outcome.result
    if outcome.progress is not None:
        session.progress = outcome.progress
        session.progress_message = outcome.progress_message


def _go_on(session: AgentSession, outbox: Outbox, now: datetime) -> None:
    """Start again at once, or set the timer of the retry."""
    if session.next_attempt_at is None:
        session.attempt += 1
        outbox.jobs.append(next_push(session, now=now))
    else:
        at = session.next_attempt_at.timestamp()
        outbox.moves.append(TimerMove(f"retry:{session.id}", claimed_score=None, score=at))


def _tell(
    db: Session, session: AgentSession, outcome: Outcome, outbox: Outbox, now: datetime
) -> None:
    if session.status != SessionStatus.COMPLETED:
        tell_failed(db, session, outbox, now=now, error=outcome.error, end=outcome.end)
        return
    data = {"attempt": session.attempt, "durationMs": duration_ms(session)}
    outbox.tell(db, session, "agent:completed", data, now=now, message="completed")


def tell_failed(
    db: Session,
    session: AgentSession,
    outbox: Outbox,
    *,
    now: datetime,
    error: dict[str, Any] | None = None,
    end: AttemptEnd | None = None,
) -> None:
    """Report an attempt that failed, was stopped or was lost; `data.status` says what follows."""
    again = session.finished_at is None
    next_at = session.next_attempt_at or (now if again else None)
    data = {
        "status": SessionStatus.RETRYING if again else session.status,
        "reason": session.reason or (end.lower() if end and again else None),
        "attempt": session.attempt,
        "willRetry": again,
        "nextAttemptAt": text_of(next_at) if next_at else None,
        "error": {k: error[k] for k in ("type", "message")} if error else None,
    }
    message = error["message"] if error else str(session.status).lower()
    level = "warning" if again or session.status == SessionStatus.STOPPED else "error"
    outbox.tell(db, session, "agent:failed", data, now=now, message=message, level=level)


def duration_ms(session: AgentSession) -> int | None:
    """Milliseconds from the first start to the end; None before either."""
    if session.started_at is None or session.finished_at is None:
        return None
    return round((session.finished_at - session.started_at).total_seconds() * 1000)
