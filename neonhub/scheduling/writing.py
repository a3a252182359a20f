"""Writes a schedule inside a transaction: the row, its next tick, and the version in force."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from neonhub.domain.decision import TickRow, give_up_due
from neonhub.domain.jitter import jitter_for
from neonhub.domain.validation import ScheduleFields
from neonhub.domain.window import refuse_empty_window
from neonhub.execution.limits import require_input_fits
from neonhub.ids import new_id
from neonhub.models import Agent, AgentSession, Schedule, ScheduleVersion
from neonhub.models.session import DECIDED
from neonhub.scheduling.planning import plan
from neonhub.scheduling.schedule_body import (
    apply,
    check_body,
    fields_of_schedule,
    is_same,
    version_body,
)
from neonhub.scheduling.tick_rows import insert_sessions, new_sessions


def insert_schedule(
    db: Session,
    agent: Agent,
    name: str,
    body: Mapping[str, Any],
    *,
    now: datetime,
    max_retries: int,
) -> Schedule:
    """Create a schedule of an agent.

    Args:
        body: Whole, by snake_case names; what is left out gets its default.
        max_retries: Where the body does not say.

    Raises:
        InvalidInput: A field is wrong.
        sqlalchemy.exc.IntegrityError: The agent has a schedule of this name.
    """
    checked = check_body(body, now=now, default_max_retries=max_retries)
    require_input_fits(db, checked.input)
    schedule = Schedule(id=new_id(), agent=agent, name=name, version=1, created_at=now)
    schedule.run_count = 0
    schedule.skip_next = False
    _write(db, schedule, checked, None, now)
    return schedule


def edit_schedule(
    db: Session,
    schedule: Schedule,
    name: str,
    body: Mapping[str, Any],
    *,
    now: datetime,
    max_retries: int,
) -> bool:
    """Put a whole body in place of a locked schedule's.

    Returns:
        False if it is equal, and nothing changed.

    Raises:
        InvalidInput: A field is wrong.
        sqlalchemy.exc.IntegrityError: The agent has another schedule of this name.
    """
    checked = check_body(body, now=now, default_max_retries=max_retries, stored=schedule)
    require_input_fits(db, checked.input)
    before = fields_of_schedule(schedule)
    if is_same(before, checked) and name == schedule.name:
        return False
    schedule.name = name
    schedule.version += 1
    _write(db, schedule, checked, before, now)
    return True


def _write(
    db: Session,
    schedule: Schedule,
    checked: ScheduleFields,
    before: ScheduleFields | None,
    now: datetime,
) -> None:
    decided_until = _decided_ahead(db, schedule, now) if before is not None else None
    given_up = _given_up(schedule, before, now)
    undecided = schedule.next_tick_at
    apply(schedule, checked)
    schedule.updated_at = now
    plan(schedule, before, now, decided_until)
    if schedule.next_tick_at is None and (before is None or _moves_ticks(before, checked)):
        refuse_empty_window(checked.recurrence(schedule.anchor_at), now)
    db.add(schedule)
    db.flush()
    if given_up is not None and schedule.next_tick_at != undecided:
        insert_sessions(db, new_sessions([(schedule.id, given_up)]), now=now)
    version = ScheduleVersion(schedule_id=schedule.id, version=schedule.version, valid_from=now)
    version.body = version_body(schedule)
    db.add(version)


def _moves_ticks(before: ScheduleFields, after: ScheduleFields) -> bool:
    """Whether an edit is about time; any other must not fail because time has passed."""
    return before.recurrence(None) != after.recurrence(None)


def _given_up(schedule: Schedule, before: ScheduleFields | None, now: datetime) -> TickRow | None:
    """The row for what is due and never fires if the change moves the next tick."""
    if before is None or schedule.next_tick_at is None:
        return None
    jitter = jitter_for(schedule.id, before.jitter_seconds)
    rec = before.recurrence(schedule.anchor_at).jittered(jitter)
    return give_up_due(rec, schedule.next_tick_at, jitter, now)


def _decided_ahead(db: Session, schedule: Schedule, now: datetime) -> datetime | None:
    """The newest tick that was decided, if the clock was set back behind it."""
    decided = select(func.max(AgentSession.tick_at)).where(
        text(DECIDED), AgentSession.tick_at > now, AgentSession.schedule_id == schedule.id
    )
    known = (db.scalar(decided), schedule.pruned_until)
    return max((tick for tick in known if tick is not None), default=None)
