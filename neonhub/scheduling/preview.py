"""What a schedule would do, without creating it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.clock_changes import note_on
from neonhub.domain.description import describe
from neonhub.domain.occurrences import shortest_distance, ticks_between
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import Overlap, Priority, SessionStatus
from neonhub.domain.validation import FIRST_YEAR, ScheduleFields
from neonhub.errors import InvalidInput
from neonhub.models import Agent, AgentSession, Schedule
from neonhub.models.finding import find_agent
from neonhub.models.session import ENDED
from neonhub.scheduling.planning import anchor_of
from neonhub.scheduling.schedule_body import check_body

MAX_COUNT = 100
STORM = 20
"""Other schedules due within the same five minutes that are worth a warning."""

STORM_WINDOW = timedelta(minutes=5)
PAST_RUNS = 50
"""How many of an agent's runs tell how long the next one takes."""

_INSTANT = timedelta(microseconds=1)
_FAR = timedelta(days=366 * 500)
_EARLIEST, _LATEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One tick: the instant, the local time with its offset, and what a clock change did to it."""

    at: datetime
    local: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule would do."""

    description: str
    occurrences: list[Occurrence]
    warnings: list[str]


def preview(
    database: Database,
    body: Mapping[str, Any],
    *,
    now: datetime,
    since: datetime | None = None,
    count: int = 10,
    agent_id: str | None = None,
    max_retries: int = 3,
) -> Preview:
    """Work out the ticks of a schedule as if it were created at `since`.

    Args:
        body: As for `ScheduleManager.create_schedule`.
        since: The first instant to look at, itself included; now by default.
        count: Ticks wanted, 1 to 100.
        agent_id: Whose past runs say whether it can keep up; None: nobody's.

    Raises:
        InvalidInput: A field is wrong.
        AgentNotFound: No agent has this id.
    """
    since = since or now
    if since > _LATEST:
        raise InvalidInput({"from": [f"It must not be after the year {_LATEST.year}."]})
    if since < _EARLIEST:
        raise InvalidInput({"from": [f"It must not be before the year {FIRST_YEAR}."]})
    # Whoever looks at the past is not told that it is past.
    checked = check_body(body, now=min(now, since - _INSTANT), default_max_retries=max_retries)
    rec = checked.recurrence(anchor_of(checked, since))
    wanted = min(count, checked.max_runs or count)
    ticks = list(islice(ticks_between(rec, since, since + _FAR), wanted))
    zone = rec.zone
    occurrences = [Occurrence(tick, tick.astimezone(zone), note_on(rec, tick)) for tick in ticks]
    with database.read() as db:
        warnings = list(_warnings(db, checked, rec, ticks, since, agent_id))
    return Preview(describe(rec), occurrences, warnings)


def _warnings(
    db: Session,
    checked: ScheduleFields,
    rec: Recurrence,
    ticks: list[datetime],
    since: datetime,
    agent_id: str | None,
) -> list[str]:
    found = [
        _never(checked, ticks),
        _jitter(checked, ticks),
        _too_often(db, checked, rec, since, agent_id),
        _storm(db, ticks),
    ]
    return [warning for warning in found if warning]


def _never(checked: ScheduleFields, ticks: list[datetime]) -> str | None:
    if not checked.enabled:
        return "It never fires: enabled is false."
    return None if ticks else "It never fires: no tick lies between startAt and endAt."


def _jitter(checked: ScheduleFields, ticks: list[datetime]) -> str | None:
    if not checked.jitter_seconds or not ticks:
        return None
    return (
        f"Every tick moves later by the same amount, 0 to {checked.jitter_seconds} s, which is "
        "fixed when the schedule is created and not in these times."
    )


def _too_often(
    db: Session, checked: ScheduleFields, rec: Recurrence, since: datetime, agent_id: str | None
) -> str | None:
    """Whether ticks are nearer to each other than the agent's runs are long."""
    if agent_id is None:
        return None
    seconds = _usual_seconds(db, find_agent(db, agent_id))
    shortest = shortest_distance(rec, since)
    if seconds is None or shortest is None or seconds <= shortest:
        return None
    return (
        f"It fires every {shortest:g} s at its densest, but a run of {agent_id} takes "
        f"{seconds:.1f} s (median of its last ones); {_OUTCOME[checked.overlap]}"
    )


_OUTCOME = {
    Overlap.SKIP: "with overlap SKIP, ticks will be skipped.",
    Overlap.QUEUE_ONE: "with overlap QUEUE_ONE, one run waits and further ticks will be skipped.",
    Overlap.ALLOW: "with overlap ALLOW, more and more runs will be at work at once.",
    Overlap.REPLACE: "with overlap REPLACE, runs will be stopped before they finish.",
}


def _usual_seconds(db: Session, agent: Agent) -> float | None:
    query = (
        select(AgentSession.started_at, AgentSession.finished_at)
        .where(
            AgentSession.agent_key == agent.key,
            text(ENDED),
            AgentSession.status == SessionStatus.COMPLETED,
        )
        .order_by(AgentSession.queued_at.desc())
        .limit(PAST_RUNS)
    )
    took = [(end - start).total_seconds() for start, end in db.execute(query) if start and end]
    return median(took) if took else None


def _storm(db: Session, ticks: list[datetime]) -> str | None:
    """Whether many other schedules are due just when this one first is."""
    on_the_hour = next((tick for tick in ticks if tick.minute == 0), None)
    if on_the_hour is None:
        return None
    soon = Schedule.next_run_at.between(on_the_hour, on_the_hour + STORM_WINDOW)
    # Every priority is named so that the index of due ones serves.
    ranks = Schedule.priority_rank.in_([priority.rank for priority in Priority])
    others = db.scalar(select(func.count()).select_from(Schedule).where(ranks, soon)) or 0
    if others < STORM:
        return None
    return (
        f"{others} other schedules are due within five minutes of {on_the_hour:%Y-%m-%d %H:%M} "
        "UTC; another minute, or jitterSeconds, would spread them."
    )
