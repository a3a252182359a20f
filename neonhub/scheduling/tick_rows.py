"""Writes what was decided: new sessions, and schedules moved on, set-wise."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import case, literal, null, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from neonhub.domain.decision import Decision, TickRow
from neonhub.domain.states import SessionStatus, Trigger
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession, Fleet, Schedule
from neonhub.models.given_rows import given_rows
from neonhub.models.session import BACKFILLED, DECIDED
from neonhub.models.types import UtcDateTime


class NewSession(NamedTuple):
    """A decided tick and the session it becomes; all else comes from its schedule."""

    id: str
    schedule_id: str
    tick: TickRow

    @classmethod
    def of(cls, schedule_id: str, tick: TickRow) -> "NewSession":
        """A session with a fresh id."""
        return cls(new_id(), schedule_id, tick)


def insert_sessions(
    db: Session,
    sessions: Sequence[NewSession],
    *,
    now: datetime,
    trigger: Trigger = Trigger.SCHEDULE,
) -> set[str]:
    """Insert sessions, except for ticks that have one of this trigger.

    Priority, input, retries and timeout are copied from the schedule inside the database.

    Args:
        trigger: `SCHEDULE` or `BACKFILL`.

    Returns:
        The ids that were inserted.
    """
    if not sessions:
        return set()
    values = _values(db, sessions, trigger, now)
    insert = sqlite.insert if _is_sqlite(db) else postgresql.insert
    statement = (
        insert(AgentSession)
        .from_select(list(values), select(*values.values()).where(*_joined(values)))
        .on_conflict_do_nothing(
            index_elements=["schedule_id", "tick_at"],
            index_where=text(BACKFILLED if trigger is Trigger.BACKFILL else DECIDED),
        )
        .returning(AgentSession.id)
    )
    return set(db.scalars(statement))


def advance(db: Session, decisions: Mapping[str, Decision], *, fired: int) -> None:
    """Move schedules on to their next tick, and count what fired."""
    given = given_rows(
        db,
        {
            "id": (str, list(decisions)),
            "next_tick_at": (datetime, [d.next_tick_at for d in decisions.values()]),
            "next_run_at": (datetime, [d.next_run_at for d in decisions.values()]),
            "run_count": (int, [d.run_count for d in decisions.values()]),
            "skip_next": (int, [int(d.skip_next) for d in decisions.values()]),
        },
    )
    moved = {
        "next_tick_at": given.c.next_tick_at,
        "next_run_at": given.c.next_run_at,
        "run_count": given.c.run_count,
        "skip_next": given.c.skip_next == 1,
    }
    _run(db, update(Schedule).where(Schedule.id == given.c.id).values(moved))
    if fired:
        _run(db, update(Fleet).values(fired_total=Fleet.fired_total + fired))


def _values(
    db: Session, sessions: Sequence[NewSession], trigger: Trigger, now: datetime
) -> dict[str, Any]:
    """Each column of the new rows: given, from the schedule, or the same for all."""
    ticks = [session.tick for session in sessions]
    given = given_rows(
        db,
        {
            "id": (str, [session.id for session in sessions]),
            "schedule_id": (str, [session.schedule_id for session in sessions]),
            "tick_at": (datetime, [tick.tick_at for tick in ticks]),
            "scheduled_for": (datetime, [tick.scheduled_for for tick in ticks]),
            "status": (str, [tick.status.value for tick in ticks]),
            "reason": (str, [tick.reason for tick in ticks]),
            "hold_reason": (str, [tick.hold_reason for tick in ticks]),
            "missed_count": (int, [tick.missed_count for tick in ticks]),
            "missed_from": (datetime, [tick.missed_from for tick in ticks]),
        },
    )
    instant = literal(now, UtcDateTime())
    is_queued = given.c.status == SessionStatus.QUEUED.value
    is_pushed = is_queued & given.c.hold_reason.is_(None)
    return {
        **{column.name: column for column in given.c},
        "agent_key": Schedule.agent_key,
        "agent_id": Agent.slug,
        "trigger": literal(trigger.value),
        "priority": Schedule.priority,
        "priority_rank": Schedule.priority_rank,
        "input": Schedule.input,
        "max_retries": Schedule.max_retries,
        "timeout_seconds": Schedule.timeout_seconds,
        "attempt": literal(1),
        "failures": literal(0),
        "losses": literal(0),
        "queued_at": instant,
        "finished_at": case((is_queued, null()), else_=instant),
        "pushes": case((is_pushed, 1), else_=0),
        "pushed_at": case((is_pushed, instant), else_=null()),
    }


def _joined(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return Schedule.id == values["schedule_id"], Agent.key == Schedule.agent_key


def _run(db: Session, statement: Any) -> None:
    db.execute(statement, execution_options={"synchronize_session": False})


def _is_sqlite(db: Session) -> bool:
    assert db.bind is not None
    return db.bind.dialect.name == "sqlite"
