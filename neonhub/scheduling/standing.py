"""Locks schedules that may be due, and looks what their ticks meet."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Executable, bindparam, func, select
from sqlalchemy.orm import Session

from neonhub.database import connection_of
from neonhub.domain.decision import DueSchedule
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, HoldReason, Overlap
from neonhub.execution.fleet import get_fleet
from neonhub.execution.limits import queued_of
from neonhub.models import AgentSession, Fleet, Schedule
from neonhub.models.given_rows import GivenTable
from neonhub.models.types import UtcDateTime
from neonhub.statements import run_unread


class Active(NamedTuple):
    """The unended sessions of one schedule, those held for a backfill left out."""

    all: int = 0
    waiting: int = 0
    catching_up: int = 0


class Standing(NamedTuple):
    """What the due ticks of a batch meet."""

    is_paused: bool
    max_queued: int  # of one agent
    active: Mapping[str, Active]  # by schedule; those that have none are left out
    waiting: Counter[int]  # by agent, those of the batch included once they are decided


class LockedRow(NamedTuple):
    """What decides the due ticks of a schedule, as it is in the database, and whose they are."""

    id: str
    agent_key: int
    priority: str
    is_due: bool | None
    cron_expression: str | None
    interval_seconds: float | None
    run_at: datetime | None
    timezone: str
    anchor_at: datetime | None
    start_at: datetime | None
    end_at: datetime | None
    next_tick_at: datetime
    next_run_at: datetime | None
    jitter_seconds: int
    overlap: str
    catch_up: str
    catch_up_window_seconds: int
    max_runs: int | None
    run_count: int
    paused_at: datetime | None
    skip_next: bool


Read = Callable[[LockedRow], LockedRow]
"""Makes of a row as the driver has it one with the values of its types."""


def of_whomever(row: LockedRow) -> Any:
    """The row without id, agent and priority: equal ones are decided alike."""
    return _NOBODY + row[len(_NOBODY) :]  # `_replace` takes ten times as long


_NOBODY = (None, None, None)


def look(
    db: Session, schedule_ids: Sequence[str], now: datetime
) -> tuple[list[LockedRow], Read, Standing]:
    """Lock the schedules, and look what their ticks meet once they are.

    The rows are unread: those of a batch that are alike need to be read once.
    """
    connection, is_sqlite = connection_of(db)
    wanted = _WANTED.values([(each,) for each in schedule_ids], is_sqlite=is_sqlite)
    rows, read, (limits, active, waiting) = run_unread(
        connection,
        (_select_locked(is_sqlite), {**wanted, "now": now}),
        [
            (_LIMITS, {}),
            (_count_active(is_sqlite), wanted),
            (_count_waiting(is_sqlite), wanted),
        ],
    )
    if not limits:
        get_fleet(db)  # says what is missing
    (fleet,) = limits
    standing = Standing(
        fleet.paused_at is not None, fleet.max_queued, _active(active), Counter(dict(waiting))
    )
    return rows, read, standing


_WANTED = GivenTable("wanted", id=str)


@cache
def _select_locked(is_sqlite: bool) -> Executable:
    columns = Schedule.__table__.c
    wanted = _WANTED.on(is_sqlite=is_sqlite)
    is_due = (columns.next_run_at <= bindparam("now", type_=UtcDateTime())).label("is_due")
    return (
        select(*(is_due if name == "is_due" else columns[name] for name in LockedRow._fields))
        .where(columns.id.in_(select(wanted.c.id)))
        .order_by(columns.priority_rank, columns.id)
        .with_for_update(of=Schedule.__table__)
    )


def _active(counted: Iterable[tuple[str, str | None, int]]) -> dict[str, Active]:
    counts: dict[str, dict[str | None, int]] = {}
    for schedule_id, reason, count in counted:
        if reason != HoldReason.BACKFILL:
            counts.setdefault(str(schedule_id), {})[reason] = count
    return {
        schedule_id: Active(
            sum(by_hold.values()),
            by_hold.get(HoldReason.OVERLAP, 0),
            by_hold.get(HoldReason.CATCH_UP, 0),
        )
        for schedule_id, by_hold in counts.items()
    }


_LIMITS = select(Fleet.paused_at, Fleet.max_queued)


@cache
def _count_active(is_sqlite: bool) -> Executable:
    wanted, hold = _WANTED.on(is_sqlite=is_sqlite), AgentSession.hold_reason
    is_wanted = AgentSession.schedule_id.in_(select(wanted.c.id))
    return (
        select(AgentSession.schedule_id, hold, func.count())
        .where(is_wanted, AgentSession.finished_at.is_(None))
        .group_by(AgentSession.schedule_id, hold)
    )


@cache
def _count_waiting(is_sqlite: bool) -> Executable:
    wanted = _WANTED.on(is_sqlite=is_sqlite)
    return queued_of(select(Schedule.agent_key).where(Schedule.id.in_(select(wanted.c.id))))


def due_schedule(
    row: LockedRow, jitter: timedelta, active: Active, is_paused: bool, room: int
) -> DueSchedule:
    """What decides the due ticks of a schedule; the row is read."""
    return DueSchedule(
        recurrence=Recurrence(
            cron_expression=row.cron_expression,
            interval_seconds=row.interval_seconds,
            run_at=row.run_at,
            timezone=row.timezone,
            anchor=row.anchor_at,
            start_at=row.start_at,
            end_at=row.end_at,
        ).jittered(jitter),
        next_tick_at=row.next_tick_at,
        jitter=jitter,
        overlap=_OVERLAPS[row.overlap],
        catch_up=_CATCH_UPS[row.catch_up],
        catch_up_window_seconds=row.catch_up_window_seconds,
        runs_left=None if row.max_runs is None else row.max_runs - row.run_count,
        paused=is_paused or row.paused_at is not None,
        skip_next=row.skip_next,
        active=active.all,
        waiting=active.waiting,
        catching_up=active.catching_up,
        room=room,
    )


_OVERLAPS = {each.value: each for each in Overlap}
_CATCH_UPS = {each.value: each for each in CatchUp}
