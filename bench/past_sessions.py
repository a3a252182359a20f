"""Many ended sessions, written by one statement: the ticks of ten schedules, one a second."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnClause, Connection, insert, literal_column, select, text, update

from bench.filling import settle, without_indexes
from neonhub.database import Database
from neonhub.models import AgentSession, Schedule
from neonhub.scheduling.writing import insert_schedule
from tests.factories import add_agent, add_fleet, add_session

SCHEDULES = 10
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
AGENT = "reporter"

_SECOND = timedelta(seconds=1)
_FASTER = {
    "sqlite": ("PRAGMA cache_size = -500000",),
    "postgresql": ("SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'"),
}
_SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last})"
    " SELECT n FROM s) AS series",
    "postgresql": "generate_series(0, {last}) AS series(n)",
}
_TICK = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {first} + n / {schedules}, 'unixepoch') || '000'",
    "postgresql": "to_timestamp({first} + n / {schedules})",
}
_ID = {"sqlite": "printf('01%030x', n)", "postgresql": "'01' || lpad(to_hex(n), 30, '0')"}


def fill_sessions(database: Database, count: int) -> tuple[list[str], datetime]:
    """Write a fleet, an agent, its schedules and what became of so many of their ticks.

    Returns:
        The ids of the schedules, and the instant of the last tick.
    """
    add_fleet(database)
    agent = add_agent(database, AGENT)
    last = BEGAN + _SECOND * (count // SCHEDULES)
    with database.begin() as db:
        agent = db.merge(agent)
        schedules = [
            insert_schedule(
                db, agent, f"n{n}", {"interval": "every second"}, now=BEGAN, max_retries=3
            ).id
            for n in range(SCHEDULES)
        ]
        db.execute(update(Schedule).values(next_tick_at=last + _SECOND, next_run_at=last + _SECOND))
    template = add_session(
        database,
        agent,
        schedule_id=schedules[0],
        trigger="SCHEDULE",
        status="COMPLETED",
        tick_at=BEGAN,
        scheduled_for=BEGAN,
        started_at=BEGAN,
        finished_at=BEGAN,
    )
    with database.engine.begin() as connection:
        for statement in _FASTER[connection.dialect.name]:
            connection.execute(text(statement))
        with without_indexes(connection, "sessions"):
            _insert(connection, template.id, schedules, count)
    settle(database)
    return schedules, last


def _insert(connection: Connection, template: str, schedules: list[str], count: int) -> None:
    """Each row a copy of one, but for its id, its schedule and its instants."""
    kind = connection.dialect.name
    first = int((BEGAN + _SECOND).timestamp())
    tick = _TICK[kind].format(first=first, schedules=SCHEDULES)
    cases = " ".join(f"WHEN {n} THEN '{each}'" for n, each in enumerate(schedules))
    own = {"id": _ID[kind], "schedule_id": f"CASE n % {SCHEDULES} {cases} END"}
    own |= dict.fromkeys(
        ("tick_at", "scheduled_for", "queued_at", "started_at", "finished_at"), tick
    )
    table = AgentSession.metadata.tables["sessions"]
    columns: list[ColumnClause[Any]] = [
        literal_column(own.get(each.name, f"sessions.{each.name}")) for each in table.c
    ]
    series = text(_SERIES[kind].format(last=count - 1))
    rows = select(*columns).select_from(table, series).where(table.c.id == template)
    connection.execute(insert(table).from_select([each.name for each in table.c], rows))
