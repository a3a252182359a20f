"""A schedule as a row: what the object has, its agent's slug and its last run, in one statement."""

from datetime import timedelta

import pytest

from neonhub.database import Database
from neonhub.errors import AgentNotFound, ScheduleNotFound
from neonhub.models import Agent
from neonhub.scheduling.schedule_body import body_of
from neonhub.scheduling.schedule_rows import read_agent_schedule, read_schedule
from tests.factories import NOW, add_schedule, add_session


def test_a_row_says_what_the_object_does(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, name="nightly")
    row = read_schedule(database, schedule.id)
    assert body_of(row) == body_of(schedule)
    assert (row.id, row.agent_id, row.version) == (schedule.id, agent.slug, schedule.version)
    assert (row.last_started_at, row.last_status) == (None, None)


def test_a_row_tells_of_the_last_run_in_one_statement(
    database: Database, agent: Agent, statements: list[str]
) -> None:
    schedule = add_schedule(database, agent, name="nightly")
    for minutes, started_at in ((1, NOW), (2, NOW + timedelta(minutes=2)), (3, None)):
        queued_at = NOW + timedelta(minutes=minutes)
        add_session(
            database, agent, schedule_id=schedule.id, queued_at=queued_at, started_at=started_at
        )
    statements.clear()
    row = read_agent_schedule(database, agent.slug, "nightly")
    assert row.last_started_at == NOW + timedelta(minutes=2)
    assert row.last_status == "QUEUED"
    assert len([each for each in statements if each.startswith("SELECT")]) == 1


def test_what_is_not_there_is_named(database: Database, agent: Agent) -> None:
    with pytest.raises(AgentNotFound, match="nobody"):
        read_agent_schedule(database, "nobody")
    with pytest.raises(ScheduleNotFound, match="'default'"):
        read_agent_schedule(database, agent.slug)
    with pytest.raises(ScheduleNotFound, match="gone"):
        read_schedule(database, "gone")
