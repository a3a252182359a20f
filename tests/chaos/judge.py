"""Judges the design's invariants by the database, the agents' own notes and a watcher's capture."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.states import ACTIVE
from neonhub.models import AgentSession, Attempt, Schedule, ScheduleVersion, SessionEvent
from tests.chaos.capture import Capture
from tests.chaos.load import Load

MARKS = {"beside": 3, "lane": 4, "crowd": 6}
"""What an agent may note, and the invariant that this breaks."""


def unended(database: Database, load: Load) -> list[str]:
    """Sessions of a load that have not ended, as they stand."""
    query = select(AgentSession).where(
        AgentSession.agent_id.in_(load.agents), AgentSession.status.in_(sorted(ACTIVE))
    )
    with database.read() as db:
        return [f"{s.id} is {s.status} ({s.hold_reason})" for s in db.scalars(query)]


def told_all(database: Database, load: Load, capture: Capture) -> bool:
    """Whether a watcher has every lifecycle event, or was told to read the state again."""
    return capture.resyncs > 0 or not _events_committed(database, load) - _events_told(
        load, capture
    )


def violations(database: Database, load: Load, capture: Capture) -> list[str]:
    """What was promised and not kept, by the invariant's number."""
    with database.read() as db:
        found = [
            *_ticks(db, load),
            *_starts(db, load),
            *_acknowledged(db, load),
        ]
    return [*found, *_notes(load), *_events(database, load, capture)]


def _ticks(db: Session, load: Load) -> Iterator[str]:
    """1: each due tick has exactly one row."""
    for schedule_id in load.schedules.values():
        schedule = db.get_one(Schedule, schedule_id)
        ended = db.scalars(
            select(func.max(ScheduleVersion.valid_from)).where(
                ScheduleVersion.schedule_id == schedule_id
            )
        ).one()
        assert schedule.anchor_at is not None and schedule.interval_seconds is not None
        step = timedelta(seconds=schedule.interval_seconds)
        count = (ended - schedule.anchor_at) // step + 1
        due = Counter(schedule.anchor_at + n * step for n in range(count))
        rows: Counter[datetime] = Counter()
        query = select(AgentSession).where(
            AgentSession.schedule_id == schedule_id, AgentSession.tick_at.is_not(None)
        )
        for row in db.scalars(query):
            assert row.tick_at is not None
            since = row.missed_from or row.tick_at
            rows.update(since + n * step for n in range((row.tick_at - since) // step + 1))
        if missing := due - rows:
            yield f"1: {schedule_id} has no row for {sorted(map(str, missing))}"
        if extra := rows - due:
            yield f"1: {schedule_id} has rows too many for {sorted(map(str, extra))}"


def _starts(db: Session, load: Load) -> Iterator[str]:
    """5: no more starts than attempts, each after the first explained."""
    starts = Counter(line.split()[1] for line in _lines(load) if line.endswith(" start"))
    query = select(AgentSession).where(AgentSession.agent_id.in_(load.agents))
    for session in db.scalars(query):
        attempts = db.scalars(select(Attempt).where(Attempt.session_id == session.id)).all()
        if starts[session.id] > len(attempts):
            yield f"5: {session.id} started {starts[session.id]} times in {len(attempts)} attempts"
        unexplained = [each.number for each in attempts[:-1] if each.outcome is None]
        if unexplained:
            yield f"5: attempts {unexplained} of {session.id} have no outcome"
        if session.status == "COMPLETED" and not starts[session.id]:
            yield f"5: {session.id} is COMPLETED and never started"


def _acknowledged(db: Session, load: Load) -> Iterator[str]:
    """7: what was acknowledged is there, and ended well."""
    for session_id in load.acknowledged:
        session = db.get(AgentSession, session_id)
        if session is None:
            yield f"7: session {session_id} was acknowledged and is gone"
        elif session.status != "COMPLETED":
            how = f"{session.status}, {session.reason}: {session.error}"
            yield f"7: session {session_id} ended as {how}"


def _notes(load: Load) -> Iterator[str]:
    """3, 4 and 6: what the agents themselves saw."""
    for line in _lines(load):
        mark = line.split()[4]
        if mark in MARKS:
            yield f"{MARKS[mark]}: {line}"


def _events(database: Database, load: Load, capture: Capture) -> Iterator[str]:
    """8: a watcher has each event once and in order, unless told to read the state again."""
    for before, after in pairwise(capture.events):
        if capture.resyncs == 0 and _place(before["id"]) >= _place(after["id"]):
            yield f"8: ids don't grow: {after} came after {before}"
    committed, told = _events_committed(database, load), _events_told(load, capture)
    extra = told - committed
    if capture.resyncs:  # what Redis lost is told again, after the word to read the state anew
        extra = Counter({key: count for key, count in extra.items() if key not in committed})
    if extra:
        yield f"8: told and never committed, or told twice: {extra}"
    if capture.resyncs == 0 and (missing := committed - told):
        yield f"8: committed and never told: {missing}"


_Key = tuple[str, str | None, int | None, str | None]


def _events_committed(database: Database, load: Load) -> Counter[_Key]:
    query = select(SessionEvent).where(
        SessionEvent.event.is_not(None), SessionEvent.agent_id.in_(load.agents)
    )
    with database.read() as db:
        return Counter(
            (str(e.event), e.session_id, e.attempt, e.data.get("status")) for e in db.scalars(query)
        )


def _events_told(load: Load, capture: Capture) -> Counter[_Key]:
    return Counter(
        (e["event"], e["sessionId"], e["data"].get("attempt"), e["data"].get("status"))
        for e in list(capture.events)
        if e["agentId"] in load.agents and e["event"] != "agent:progress"
    )


def _place(event_id: str) -> tuple[int, int]:
    first, _, second = event_id.partition("-")
    return int(first), int(second)


def _lines(load: Load) -> list[str]:
    return load.truth.read_text().splitlines() if load.truth.exists() else []
