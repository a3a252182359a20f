"""Writes what was decided: new sessions, and schedules moved on, set-wise."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Executable,
    FromClause,
    Integer,
    bindparam,
    case,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from neonhub.database import connection_of
from neonhub.domain.decision import Decision, TickRow
from neonhub.domain.states import SessionStatus, Trigger
from neonhub.ids import new_ids
from neonhub.models import Agent, AgentSession, Fleet, Schedule
from neonhub.models.given_rows import GivenTable, given_rows
from neonhub.models.session import BACKFILLED, DECIDED
from neonhub.models.types import UtcDateTime
from neonhub.statements import Query, run, run_made

Decisions = Mapping[str, Decision]
"""Schedule id → what was decided."""


class NewSession(NamedTuple):
    """A decided tick and the session it becomes; all else comes from its schedule."""

    id: str
    schedule_id: str
    tick: TickRow

    @property
    def fires(self) -> bool:
        """Whether it runs, at once or once it is no longer held."""
        return self.tick.status is SessionStatus.QUEUED


def new_sessions(ticks: Sequence[tuple[str, TickRow]]) -> list[NewSession]:
    """A session with a fresh id for each tick of a schedule."""
    return [NewSession(key, *of) for key, of in zip(new_ids(len(ticks)), ticks, strict=True)]


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
    connection, is_sqlite = connection_of(db)
    count = run_made(connection, _insertions(sessions, trigger, now, is_sqlite))
    left_out = {session.id for session in _left_out(db, sessions, count)}
    return {session.id for session in sessions if session.id not in left_out}


def write_decided(
    db: Session,
    parts: Iterable[Decisions],
    meanwhile: Callable[[Sequence[NewSession]], object],
    *,
    now: datetime,
    many: bool,
) -> list[NewSession]:
    """Insert the sessions of decided ticks, move their schedules on, and count what fires.

    Args:
        parts: What was decided; PostgreSQL writes each while what follows is made, and SQLite, too,
            where they are many.
        meanwhile: Called with all sessions as the last part is written; must not use the database.
        many: Whether a tick that has its session already is refused: to leave it out takes
            PostgreSQL longer for each of them.

    Returns:
        The sessions left out, as their ticks had one already.

    Raises:
        sqlalchemy.exc.IntegrityError: A tick of many has its session already.
    """
    connection, is_sqlite = connection_of(db)
    sessions: list[NewSession] = []
    others = 0  # rows changed: each schedule decided is locked, and so is moved

    def queries() -> Iterator[Query]:
        nonlocal others
        for part in filter(None, parts):
            made = new_sessions([(key, tick) for key, each in part.items() for tick in each.rows])
            sessions.extend(made)
            others += len(part)
            yield from _insertions(made, Trigger.SCHEDULE, now, is_sqlite, refuse=many)
            yield _movement(part, is_sqlite)
        if fired := sum(session.fires for session in sessions):
            others += 1
            yield _COUNT_FIRED, {"fired": fired}
        meanwhile(sessions)

    changed = run_made(connection, queries(), aside=many)
    left_out = _left_out(db, sessions, changed - others)
    if left_out:
        run(connection, _COUNT_FIRED, {"fired": -sum(session.fires for session in left_out)})
    return left_out


def _insertions(
    sessions: Sequence[NewSession],
    trigger: Trigger,
    now: datetime,
    is_sqlite: bool,
    *,
    refuse: bool = False,
) -> Iterator[Query]:
    fresh = [session for session in sessions if session.tick[2:] == _FRESH]
    others = [session for session in sessions if session.tick[2:] != _FRESH]
    for some, given, own in ((fresh, _GIVEN_FRESH, ()), (others, _GIVEN_OTHERS, _OWN)):
        if some:
            rows = [(each.id, each.schedule_id, *each.tick[: 2 + len(own)]) for each in some]
            values = given.values(rows, is_sqlite=is_sqlite)
            yield _insert_statement(given, trigger, is_sqlite, refuse), {**values, "now": now}


_OWN = ("status", "reason", "hold_reason", "missed_count", "missed_from")
"""What a session says of its tick, unless it is just to run: most are, and then it is not given."""

_FRESH = TickRow(datetime.min, datetime.min, SessionStatus.QUEUED)[2:]


def _left_out(db: Session, sessions: Sequence[NewSession], count: int) -> list[NewSession]:
    """The sessions that were not inserted, where so many were."""
    # As a rule all are: then it costs less to count them than to have each id returned.
    if count == len(sessions):
        return []
    given = given_rows(db, {"id": (str, [session.id for session in sessions])})
    query = select(AgentSession.id).where(AgentSession.id.in_(select(given.c.id)))
    known = set(db.scalars(query))
    return [session for session in sessions if session.id not in known]


_GIVEN = {"id": str, "schedule_id": str, "tick_at": datetime, "scheduled_for": datetime}
_GIVEN_FRESH = GivenTable("fresh", **_GIVEN)
_GIVEN_OTHERS = GivenTable(
    "decided",
    **_GIVEN,
    status=str,
    reason=str,
    hold_reason=str,
    missed_count=int,
    missed_from=datetime,
)


@cache
def _insert_statement(
    given: GivenTable, trigger: Trigger, is_sqlite: bool, refuse: bool
) -> Executable:
    values = _values(given.on(is_sqlite=is_sqlite), trigger)
    insert = sqlite.insert if is_sqlite else postgresql.insert
    joined = Schedule.id == values["schedule_id"], Agent.key == Schedule.agent_key
    inserted = insert(AgentSession).from_select(
        list(values), select(*values.values()).where(*joined)
    )
    if refuse:
        return inserted
    return inserted.on_conflict_do_nothing(
        index_elements=["schedule_id", "tick_at"],
        index_where=text(BACKFILLED if trigger is Trigger.BACKFILL else DECIDED),
    )


def _movement(decisions: Decisions, is_sqlite: bool) -> Query:
    rows = [
        (key, each.next_tick_at, each.next_run_at, each.runs, int(each.skip_next))
        for key, each in decisions.items()
    ]
    return _update_moved(is_sqlite), _MOVED.values(rows, is_sqlite=is_sqlite)


_COUNT_FIRED = update(Fleet).values(
    fired_total=Fleet.fired_total + bindparam("fired", type_=Integer())
)
_MOVED = GivenTable(
    "moved", id=str, next_tick_at=datetime, next_run_at=datetime, runs=int, skip_next=int
)


@cache
def _update_moved(is_sqlite: bool) -> Executable:
    moved = _MOVED.on(is_sqlite=is_sqlite)
    return (
        update(Schedule)
        .where(Schedule.id == moved.c.id)
        .values(
            next_tick_at=moved.c.next_tick_at,
            next_run_at=moved.c.next_run_at,
            run_count=Schedule.run_count + moved.c.runs,
            skip_next=moved.c.skip_next == 1,
        )
    )


def _values(given: FromClause, trigger: Trigger) -> dict[str, Any]:
    """Each column of the new rows: given, from the schedule, or the same for all."""
    instant = bindparam("now", type_=UtcDateTime())
    values: dict[str, Any] = {
        "status": literal_column(f"'{SessionStatus.QUEUED.value}'"),
        "finished_at": null(),
        "pushes": literal_column("1"),
        "pushed_at": instant,
        **{column.name: column for column in given.c},
        "agent_key": Schedule.agent_key,
        "agent_id": Agent.slug,
        "trigger": literal_column(f"'{trigger.value}'"),
        "priority": Schedule.priority,
        "priority_rank": Schedule.priority_rank,
        "input": Schedule.input,
        "max_retries": Schedule.max_retries,
        "timeout_seconds": Schedule.timeout_seconds,
        "attempt": literal_column("1"),
        "failures": literal_column("0"),
        "losses": literal_column("0"),
        "queued_at": instant,
    }
    if "status" in given.c:
        is_queued = given.c.status == SessionStatus.QUEUED.value
        is_pushed = is_queued & given.c.hold_reason.is_(None)
        values["finished_at"] = case((is_queued, null()), else_=instant)
        values["pushes"] = case((is_pushed, 1), else_=0)
        values["pushed_at"] = case((is_pushed, instant), else_=null())
    return values
