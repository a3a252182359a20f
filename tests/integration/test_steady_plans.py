"""What the system asks all the time does not take longer the more sessions there are."""

from datetime import timedelta

import pytest
from redis import Redis

from neonhub.agents import AgentManager
from neonhub.api.status import status
from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.claims import Wanted
from neonhub.execution.endings import Ended, Outcome
from neonhub.execution.lifeline import Lifeline
from neonhub.execution.turns import turn
from neonhub.scheduling.agent_scheduler import AgentScheduler
from tests.factories import NOW, add_agent, add_fleet, add_schedule, add_session

GROWING = ("sessions", "attempts", "session_events")
"""Tables with rows of what is long past."""

ALONG_THE_IDS = "sqlite_autoindex_sessions_1"
"""The newest sessions, up to a limit, are read so on purpose."""


def test_nothing_reads_a_whole_table(
    database: Database, redis_connection: Redis, statements: list[str]
) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL plans by what it counted, and reads a small table whole.")
    add_fleet(database)
    agent = add_agent(database)
    add_schedule(database, agent, next_tick_at=NOW)
    session = add_session(database, agent, pushed_at=NOW - timedelta(hours=1))
    statements.clear()
    scheduler = AgentScheduler(database, AgentManager(), redis=redis_connection)
    for _ in range(3):
        scheduler.step(NOW)
    Lifeline(database, redis_connection).step(NOW + timedelta(minutes=1))
    claims = turn(database, [], [Wanted(session.id, 1, "w")], now=NOW).claims
    ended = [Ended(claim, Outcome(AttemptEnd.RETURNED)) for claim in claims]
    turn(database, ended, [], now=NOW)
    status(database, redis_connection)

    plans = {each: plan(database, each) for each in set(statements)}
    assert len([each for each in plans if "sessions" in each]) > 10
    assert {each: told for each, told in plans.items() if reads_all(told)} == {}


def plan(database: Database, statement: str) -> list[str]:
    if not statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
        return []
    with database.read_rows() as connection:
        nothing = (None,) * statement.count("?")
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", nothing)
        return [row.detail for row in rows]


def reads_all(plan: list[str]) -> bool:
    """Whether a step reads one of the tables from one end to the other, along no partial index."""
    return any(
        step.startswith(f"SCAN {table}") or step.endswith(f"sqlite_autoindex_{table}_1 (id>?)")
        for table in GROWING
        for step in plan
        if " ix_" not in step and not step.endswith(ALONG_THE_IDS)
    )
