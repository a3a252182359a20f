"""Writing the ends of attempts, and setting free whoever waited for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from sqlalchemy import (
    Executable,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from neonhub.database import connection_of
from neonhub.domain.endings import AttemptEnd, NextState, Standing, after_attempt
from neonhub.domain.instant import text_of
from neonhub.domain.states import Priority, SessionStatus
from neonhub.execution.fleet import get_fleet
from neonhub.execution.holds import holding, release_of_schedule, release_of_schedules
from neonhub.execution.locking import given_ids, locking
from neonhub.execution.outbox import About, Outbox, Told
from neonhub.execution.slots import (
    IS_SLOT_WANTED,
    assign_free_slots,
    free_slots,
    give_back,
    inherited,
    keep_allowed,
)
from neonhub.models import Agent, AgentSession, Attempt, Fleet
from neonhub.models.attempt import IS_RUNNING
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.redis.counters import EndedSession
from neonhub.redis.queues import Job, TimerMove
from neonhub.statements import Query, run_all


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, and what it left."""

    end: AttemptEnd
    result: Any = None
    error: dict[str, Any] | None = None  # {type, message, traceback}
    progress: float | None = None
    progress_message: str | None = None


class Started(Protocol):
    """An attempt that was started, and the token that proves who may write its end."""

    @property
    def session_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt whose end is to be written."""

    claim: Started
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of attempts that ended."""

    written: set[str] = field(default_factory=set)  # sessions whose end was written
    told: list[Told] = field(default_factory=list)  # what is to be told of them
    heirs: set[str] = field(default_factory=set)  # those who have their slots now


def finish_in(db: Session, ended: Sequence[Ended], outbox: Outbox, *, now: datetime) -> set[str]:
    """End attempts inside a transaction, each with its token, and move their sessions on.

    Returns:
        The ids of the sessions whose end was written. A ghost's is missing, and changed nothing.
    """
    connection, is_sqlite = connection_of(db)
    locked, mine = run_all(connection, end_attempts(ended, now=now, is_sqlite=is_sqlite))
    finished = finish_locked(db, ended, locked, mine, outbox, now=now)
    outbox.tell(db, finished.told, now=now)
    return finished.written


def end_attempts(
    ended: Sequence[Ended], *, now: datetime, is_sqlite: bool
) -> tuple[Query | None, Query | None]:
    """What locks the sessions, with all that decides what becomes of them, and ends the attempts.

    Only those attempts end that have not ended yet and whose token is theirs.
    """
    if not ended:
        return None, None
    locked = given_ids((each.claim.session_id for each in ended), is_sqlite=is_sqlite)
    given = _ENDED.values(
        (
            (*key, each.claim.token, each.outcome.end, each.outcome.error)
            for key, each in _by_attempt(ended).items()
        ),
        is_sqlite=is_sqlite,
    )
    return (_standings(is_sqlite), locked), (_set_ended(is_sqlite), {**given, "now": now})


def finish_locked(
    db: Session,
    ended: Sequence[Ended],
    locked: Sequence[Any],
    mine: Sequence[Any],
    outbox: Outbox,
    *,
    heirs: Sequence[str] = (),
    now: datetime,
) -> Finished:
    """Move on the sessions of attempts just ended.

    Args:
        locked: The sessions that `end_attempts` locked.
        mine: The attempts it ended.
        heirs: Sessions that may have the slots, as `give_back` says.
    """
    if not mine:
        return Finished()
    if any(row.backoff_base_ms is None for row in locked):
        get_fleet(db)  # says what is missing
    rows = {row.id: row for row in locked}
    by_attempt = _by_attempt(ended)
    outcomes = {
        row.session_id: by_attempt[row.session_id, row.number].outcome
        for row in sorted(mine, key=lambda row: row.session_id)
    }
    lefts = [_left(rows[session_id], outcome, now) for session_id, outcome in outcomes.items()]
    slots, written, holders = _write(db, lefts, heirs, now)
    is_slot_free = keep_allowed(db, slots)
    if is_slot_free and any(row.is_slot_wanted for row in written):
        outbox.jobs += assign_free_slots(db, now=now)
    outbox.jobs += release_of_schedules(db, holders, now=now)
    for left in lefts:
        _go_on(left, outbox, now)
    return Finished(set(outcomes), [_told(left, now) for left in lefts], inherited(slots))


@dataclass(frozen=True, slots=True)
class _Left:
    """A session as an ended attempt leaves it; `attempt` is the one that ended."""

    id: str
    agent_id: str
    schedule_id: str | None
    attempt: int
    priority: str
    pushes: int
    started_at: datetime | None
    finished_at: datetime | None
    status: SessionStatus
    reason: str | None
    next_attempt_at: datetime | None
    state: NextState
    outcome: Outcome

    @property
    def starts_at_once(self) -> bool:
        return self.status is SessionStatus.QUEUED


_ENDED = GivenTable("ended", session_id=str, attempt=int, token=str, outcome=str, error=dict)
_LEFT = GivenTable(
    "given",
    id=str,
    status=str,
    reason=str,
    failures=int,
    losses=int,
    attempt=int,
    is_pushed=int,
    next_attempt_at=datetime,
    finished_at=datetime,
    error=dict,
    result=dict,
    progress=float,
    progress_message=str,
)
_NOW = bindparam("now", type_=UtcDateTime())


@cache
def _standings(is_sqlite: bool) -> Executable:
    return locking(*_COLUMNS, is_sqlite=is_sqlite)


_COLUMNS = (
    AgentSession.id,
    AgentSession.agent_id,
    AgentSession.schedule_id,
    AgentSession.attempt,
    AgentSession.priority,
    AgentSession.pushes,
    AgentSession.started_at,
    AgentSession.failures,
    AgentSession.losses,
    AgentSession.max_retries,
    AgentSession.stop_requested_at,
    AgentSession.stop_reason,
    Agent.deleted_at,
    Fleet.backoff_base_ms,
    Fleet.backoff_max_ms,
)


def _by_attempt(ended: Sequence[Ended]) -> dict[tuple[str, int], Ended]:
    return {(each.claim.session_id, each.claim.attempt): each for each in ended}


@cache
def _set_ended(is_sqlite: bool) -> Executable:
    ended = _ENDED.on(is_sqlite=is_sqlite)
    return (
        update(Attempt)
        .where(
            _ENDED.finds(Attempt.session_id, "session_id", given=ended, is_sqlite=is_sqlite),
            Attempt.number == ended.c.attempt,
            Attempt.token == ended.c.token,
            IS_RUNNING,
        )
        .values(finished_at=_NOW, outcome=ended.c.outcome, error=ended.c.error)
        .returning(Attempt.session_id, Attempt.number)
    )


def _left(row: Any, outcome: Outcome, now: datetime) -> _Left:
    standing = Standing(
        failures=row.failures,
        losses=row.losses,
        # Nobody starts a removed agent again; what runs was left to finish.
        max_retries=0 if row.deleted_at is not None else row.max_retries,
        stop_requested=row.stop_requested_at is not None,
        stop_reason=row.stop_reason,
        backoff_base_ms=row.backoff_base_ms,
        backoff_max_ms=row.backoff_max_ms,
    )
    state = after_attempt(outcome.end, standing, now)
    return _Left(
        id=row.id,
        agent_id=row.agent_id,
        schedule_id=row.schedule_id,
        attempt=row.attempt,
        priority=row.priority,
        pushes=row.pushes,
        started_at=row.started_at,
        finished_at=now if state.status.is_ended else None,
        status=state.status,
        reason=state.reason,
        next_attempt_at=state.next_attempt_at,
        state=state,
        outcome=outcome,
    )


def _write(
    db: Session, lefts: Sequence[_Left], heirs: Sequence[str], now: datetime
) -> list[list[Any]]:
    """Give back the slots, write the sessions as they are left, and see what waited for them."""
    connection, is_sqlite = connection_of(db)
    given = _LEFT.values(map(_values, lefts), is_sqlite=is_sqlite)
    schedules = {left.schedule_id for left in lefts if left.finished_at and left.schedule_id}
    return run_all(
        connection,
        [
            give_back([left.id for left in lefts], heirs=heirs, is_sqlite=is_sqlite),
            (_set_left(is_sqlite), {**given, "now": now}),
            holding(schedules, is_sqlite=is_sqlite),
        ],
    )


def _values(left: _Left) -> tuple[Any, ...]:
    again = int(left.starts_at_once)
    state, outcome = left.state, left.outcome
    return (
        left.id,
        state.status,
        state.reason,
        state.failures,
        state.losses,
        left.attempt + again,
        again,
        state.next_attempt_at,
        left.finished_at,
        outcome.error,
        outcome.result,
        outcome.progress,
        outcome.progress_message,
    )


@cache
def _set_left(is_sqlite: bool) -> Executable:
    given = _LEFT.on(is_sqlite=is_sqlite)
    was_told = given.c.progress.is_not(None)
    copied = ("status", "reason", "failures", "losses", "attempt", "next_attempt_at")
    values = {name: given.c[name] for name in (*copied, "finished_at", "error", "result")} | {
        "pushes": AgentSession.pushes + given.c.is_pushed,
        "pushed_at": case((given.c.is_pushed == 1, _NOW), else_=AgentSession.pushed_at),
        "progress": func.coalesce(given.c.progress, AgentSession.progress),
        "progress_message": case(
            (was_told, given.c.progress_message), else_=AgentSession.progress_message
        ),
    }
    return (
        update(AgentSession)
        .where(_LEFT.finds(AgentSession.id, "id", given=given, is_sqlite=is_sqlite))
        .values(values)
        .returning(IS_SLOT_WANTED.label("is_slot_wanted"))
    )


def _go_on(left: _Left, outbox: Outbox, now: datetime) -> None:
    """Count the end, start again at once, or set the timer of the retry."""
    if left.finished_at is not None:
        outbox.ended.append(_counted(left, now))
    elif left.next_attempt_at is None:
        queue = Priority(left.priority).queue
        outbox.jobs.append(Job(left.id, left.attempt + 1, left.pushes + 1, queue))
    else:
        at = left.next_attempt_at.timestamp()
        outbox.moves.append(TimerMove(f"retry:{left.id}", claimed_score=None, score=at))


def _told(left: _Left, now: datetime) -> Told:
    if left.status != SessionStatus.COMPLETED:
        return failed_event(left, now=now, error=left.outcome.error, end=left.outcome.end)
    data = {"attempt": left.attempt, "durationMs": duration_ms(left.started_at, left.finished_at)}
    return Told("agent:completed", data, "completed", about=left)


class Timed(About, Protocol):
    """A session with the instants and the state that are told of it."""

    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def next_attempt_at(self) -> datetime | None: ...


def failed_event(
    session: Timed,
    *,
    now: datetime,
    error: dict[str, Any] | None = None,
    end: AttemptEnd | None = None,
) -> Told:
    """What is told of an attempt that failed, was stopped or was lost.

    `data.status` says what follows.
    """
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
    return Told("agent:failed", data, message, level, session)


def end_session(db: Session, session: AgentSession, outbox: Outbox, *, now: datetime) -> None:
    """Close a session whose status is an ended one, and release those it held up."""
    session.finished_at = now
    session.hold_reason = None
    session.next_attempt_at = None
    db.flush()
    outbox.ended.append(_counted(session, now))
    outbox.jobs += free_slots(db, [session.id], now=now)
    outbox.jobs += release_of_schedule(db, session.schedule_id, now=now)


def lock_session(db: Session, session_id: str) -> AgentSession | None:
    """The session with a lock on its row, or None if there is none."""
    query = select(AgentSession).where(AgentSession.id == session_id).with_for_update()
    return db.scalars(query).one_or_none()


def _counted(session: Timed, now: datetime) -> EndedSession:
    took = (now - session.started_at).total_seconds() if session.started_at else None
    return EndedSession(session.agent_id, session.status, took)


def duration_ms(started_at: datetime | None, finished_at: datetime | None) -> int | None:
    """Milliseconds from the first start to the end; None before either."""
    if started_at is None or finished_at is None:
        return None
    return round((finished_at - started_at).total_seconds() * 1000)
