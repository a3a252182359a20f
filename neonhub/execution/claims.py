"""Taking queued sessions: one worker gets each, every other one finds it taken."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Executable,
    Insert,
    Update,
    bindparam,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from neonhub.database import Database, connection_of
from neonhub.domain.endings import max_starts
from neonhub.domain.states import HoldReason, SessionStatus
from neonhub.execution.fleet import get_fleet
from neonhub.execution.locking import given_ids, locking
from neonhub.execution.outbox import Outbox, Told
from neonhub.execution.slots import assign_free_slots, take_slots
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession, Attempt, Fleet, Slot
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.statements import Query, run


@dataclass(frozen=True, slots=True)
class Wanted:
    """An attempt that a worker asks for."""

    session_id: str
    attempt: int  # the start its job was made for; a job of an earlier start finds nothing
    worker: str  # kept with the attempt


@dataclass(frozen=True, slots=True)
class Claim:
    """A session taken: what its agent needs, and the token that proves who may write its end."""

    session_id: str
    agent_id: str
    schedule_id: str | None
    attempt: int
    token: str
    kind: str
    config: dict[str, Any]  # the agent's own, overlaid with the session's input
    timeout_seconds: int
    max_retries: int
    lease_ms: int
    stop_grace_ms: int
    max_memory_bytes: int | None
    max_result_bytes: int
    max_log_lines: int
    max_log_line_bytes: int
    max_events_per_second: int


def lock_wanted(wanted: Sequence[Wanted], *, is_sqlite: bool) -> Query | None:
    """What locks the sessions wanted, and returns all that a claim holds."""
    if not wanted:
        return None
    ids = given_ids((each.session_id for each in wanted), is_sqlite=is_sqlite)
    return _locked(is_sqlite), ids


def startable_of(wanted: Sequence[Wanted], locked: Sequence[Any]) -> list[Any]:
    """What may start of the sessions wanted, most urgent first.

    Args:
        locked: The rows of `lock_wanted`.
    """
    asked = {(each.session_id, each.attempt) for each in wanted}
    startable = [row for row in locked if (row.id, row.attempt) in asked and _may_start(row)]
    return sorted(startable, key=lambda row: (row.priority_rank, row.queued_at, row.id))


def claim_startable(
    db: Session,
    wanted: Sequence[Wanted],
    startable: Sequence[Any],
    outbox: Outbox,
    *,
    with_slot: Collection[str] = (),
    now: datetime,
) -> tuple[list[Claim], list[Query], list[Told]]:
    """Take sessions that may start, and a slot for each.

    Without a free slot a session is held, and whoever frees one releases it; after the commit
    `release_held` is to be called. Free slots go to the most urgent sessions.

    Args:
        startable: The rows of `startable_of`.
        with_slot: Those of them that have a slot already.
        now: Timezone-aware instant the leases start at.

    Returns:
        The claims, what is still to be run to write them, and what is to be told of them. Missing
        are sessions that another worker took, that may not start, or that no slot is left for.
    """
    if startable and startable[0].lease_ms is None:
        get_fleet(db)  # says what is missing
    without = [row for row in startable if row.id not in with_slot]
    reserved = [row.id for row in without if row.reserved_slot is not None]
    taken = take_slots(db, [row.id for row in without], reserved=reserved, now=now)
    _hold(db, [row.id for row in without if row.id not in taken], outbox)
    rows = [row for row in startable if row.id in taken or row.id in with_slot]
    workers = {each.session_id: each.worker for each in wanted}
    claims = [_claim_of(row, new_id()) for row in rows]
    starting = _start(claims, workers, now, is_sqlite=connection_of(db)[1])
    return claims, starting, [_started(row, workers[row.id]) for row in rows]


def release_held(database: Database, outbox: Outbox, *, now: datetime) -> None:
    """Look once more for free slots if a session was held for one.

    A slot may have been freed while the transaction that held it was still invisible to whoever
    freed it.
    """
    if outbox.held:
        outbox.held.clear()
        with database.begin() as db:
            outbox.jobs += assign_free_slots(db, now=now)


_STARTED = GivenTable("started", session_id=str, attempt=int, token=str, worker=str)
_HELD = GivenTable("held", session_id=str)
_NOW = bindparam("now", type_=UtcDateTime())


def _may_start(row: Any) -> bool:
    return row.status == SessionStatus.QUEUED and row.hold_reason is None


@cache
def _locked(is_sqlite: bool) -> Executable:
    sessions = locking(*_COLUMNS, is_sqlite=is_sqlite)
    return sessions.outerjoin(Slot, Slot.session_id == AgentSession.id)


_COLUMNS = (
    AgentSession.id,
    AgentSession.status,
    AgentSession.hold_reason,
    AgentSession.agent_id,
    AgentSession.schedule_id,
    AgentSession.attempt,
    AgentSession.trigger,
    AgentSession.priority,
    AgentSession.priority_rank,
    AgentSession.queued_at,
    AgentSession.failures,
    AgentSession.losses,
    AgentSession.max_retries,
    AgentSession.timeout_seconds,
    AgentSession.input,
    Agent.kind,
    Agent.config,
    Slot.number.label("reserved_slot"),
    Fleet.lease_ms,
    Fleet.stop_grace_ms,
    Fleet.max_memory_bytes,
    Fleet.max_result_bytes,
    Fleet.max_log_lines,
    Fleet.max_log_line_bytes,
    Fleet.max_events_per_second,
)


def _hold(db: Session, session_ids: Sequence[str], outbox: Outbox) -> None:
    if session_ids:
        connection, is_sqlite = connection_of(db)
        given = _HELD.values([(each,) for each in session_ids], is_sqlite=is_sqlite)
        run(connection, _set_held(is_sqlite), given)
        outbox.held += session_ids


@cache
def _set_held(is_sqlite: bool) -> Executable:
    held = _HELD.on(is_sqlite=is_sqlite)
    mine = _HELD.finds(AgentSession.id, "session_id", given=held, is_sqlite=is_sqlite)
    return update(AgentSession).where(mine).values(hold_reason=HoldReason.SLOT)


def _start(
    claims: Sequence[Claim], workers: Mapping[str, str], now: datetime, *, is_sqlite: bool
) -> list[Query]:
    if not claims:
        return []
    started = [(c.session_id, c.attempt, c.token, workers[c.session_id]) for c in claims]
    given = {**_STARTED.values(started, is_sqlite=is_sqlite), "now": now}
    given["lease_until"] = now + timedelta(milliseconds=claims[0].lease_ms)
    return [(_set_running(is_sqlite), given), (_insert_attempts(is_sqlite), given)]


@cache
def _set_running(is_sqlite: bool) -> Update:
    started = _STARTED.on(is_sqlite=is_sqlite)
    values = {
        "status": SessionStatus.RUNNING,
        "started_at": func.coalesce(AgentSession.started_at, _NOW),
        "worker": started.c.worker,
        "progress": null(),
        "progress_message": null(),
    }
    mine = _STARTED.finds(AgentSession.id, "session_id", given=started, is_sqlite=is_sqlite)
    return update(AgentSession).where(mine).values(values)


@cache
def _insert_attempts(is_sqlite: bool) -> Insert:
    started = _STARTED.on(is_sqlite=is_sqlite)
    values = {
        "session_id": started.c.session_id,
        "number": started.c.attempt,
        "token": started.c.token,
        "worker": started.c.worker,
        "started_at": _NOW,
        "lease_until": bindparam("lease_until", type_=UtcDateTime()),
    }
    return insert(Attempt).from_select(list(values), select(*values.values()))


def _started(row: Any, worker: str) -> Told:
    starts = max_starts(row.max_retries, row.losses)
    data = {"attempt": row.attempt, "maxAttempts": starts, "worker": worker}
    data |= {"trigger": row.trigger, "priority": row.priority}
    return Told("agent:started", data, _why_started(row), about=row)


def _why_started(row: Any) -> str:
    """Each start beyond the first is explained in the log."""
    if row.attempt == 1:
        return "started"
    why = {
        "failures": f"{row.failures} failed" if row.failures else "",
        "losses": f"{row.losses} lost with their worker" if row.losses else "",
    }
    known = ", ".join(part for part in why.values() if part) or "handed back by its worker"
    return f"started again: attempt {row.attempt}; of those before, {known}"


def _claim_of(row: Any, token: str) -> Claim:
    return Claim(
        session_id=row.id,
        agent_id=row.agent_id,
        schedule_id=row.schedule_id,
        attempt=row.attempt,
        token=token,
        kind=row.kind,
        config={**row.config, **row.input},
        timeout_seconds=row.timeout_seconds,
        max_retries=row.max_retries,
        lease_ms=row.lease_ms,
        stop_grace_ms=row.stop_grace_ms,
        max_memory_bytes=row.max_memory_bytes,
        max_result_bytes=row.max_result_bytes,
        max_log_lines=row.max_log_lines,
        max_log_line_bytes=row.max_log_line_bytes,
        max_events_per_second=row.max_events_per_second,
    )
