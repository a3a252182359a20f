"""An agent's history: pages, filters and totals, at a cost that does not grow with it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from neonhub.database import Database
from neonhub.domain.states import SessionStatus, Trigger
from neonhub.execution import session_history
from neonhub.execution.session_history import Wanted, read_page
from neonhub.models import Agent
from neonhub.models.page import Page
from tests.factories import NOW, add_session


def add(database: Database, agent: Agent, count: int, **values: Any) -> list[str]:
    """Sessions, two queued each second, the newest first."""
    places = []
    for n in range(count):
        at = NOW + timedelta(seconds=n // 2)
        places.append((at, add_session(database, agent, queued_at=at, **values).id))
    # Two ids of one millisecond are in no order of their own.
    return [each for _, each in sorted(places, reverse=True)]


def page(database: Database, number: int, size: int, **wanted: Any) -> Page[str]:
    with database.read_rows() as connection:
        found = read_page(connection, Wanted(**wanted), page=number, page_size=size)
    return Page([each.id for each in found.items], found.page, found.page_size, found.total)


def test_pages_hold_each_session_once_newest_first(database: Database, agent: Agent) -> None:
    ids = add(database, agent, 7)
    pages = [page(database, number, 3, agent_id=agent.slug) for number in (1, 2, 3)]
    assert [each for found in pages for each in found.items] == ids
    assert [found.total for found in pages] == [7, 7, 7]


@pytest.mark.parametrize("number", [3, 4, 1000])
def test_a_page_past_the_end_is_empty_and_knows_the_total(
    database: Database, agent: Agent, number: int
) -> None:
    add(database, agent, 4)
    found = page(database, number, 2, agent_id=agent.slug)
    assert (found.items, found.total) == ([], 4)


def test_a_long_history_is_counted_so_far_and_ahead_of_the_page(
    database: Database, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_history, "COUNTED", 5)
    monkeypatch.setattr(session_history, "COUNTED_AHEAD", 2)
    add(database, agent, 10)
    totals = [page(database, number, 2, agent_id=agent.slug).total for number in range(1, 7)]
    assert totals == [5, 6, 8, 10, 10, 10]


def test_an_early_page_and_its_total_are_asked_for_together(
    database: Database, agent: Agent, statements: list[str]
) -> None:
    add(database, agent, 3)
    statements.clear()
    page(database, 1, 2, agent_id=agent.slug)
    assert len([each for each in statements if each.startswith("SELECT")]) == 2


@pytest.mark.parametrize("status", SessionStatus)
@pytest.mark.parametrize("trigger", [None, *Trigger])
def test_every_filter_finds_its_own(
    database: Database, agent: Agent, status: SessionStatus, trigger: Trigger | None
) -> None:
    for each in (status, SessionStatus.QUEUED, SessionStatus.COMPLETED):
        end = None if each.is_active else NOW
        again = NOW if each is SessionStatus.RETRYING else None
        values = {"status": each, "finished_at": end, "next_attempt_at": again}
        add(database, agent, 2, trigger=trigger or Trigger.MANUAL, **values)
    expected = 4 if status in (SessionStatus.QUEUED, SessionStatus.COMPLETED) else 2
    wanted = {"agent_id": agent.slug, "status": status, "trigger": trigger}
    found = page(database, 1, 10, since=NOW, until=NOW + timedelta(seconds=1), **wanted)
    assert (len(found.items), found.total) == (expected, expected)
    assert page(database, 1, 10, until=NOW, **wanted).total == 0


@pytest.fixture
def sqlite(sqlite_template: Path) -> Iterator[Database]:
    """PostgreSQL plans by statistics, which a test has none of."""
    database = Database(f"sqlite:///{sqlite_template}")
    yield database
    database.close()


HISTORY, STATUS = "ix_sessions_agent_history", "ix_sessions_agent_status"
PLANS: dict[str, tuple[dict[str, Any], str]] = {
    "everything": ({}, HISTORY),
    "a time": ({"since": NOW, "until": NOW}, HISTORY),
    "a status": ({"status": "FAILED"}, STATUS),
    "a status in a time": ({"status": "COMPLETED", "since": NOW}, STATUS),
    "scheduled": ({"trigger": "SCHEDULE"}, HISTORY),
    "asked for": ({"trigger": "MANUAL"}, "ix_sessions_agent_trigger"),
}


@pytest.mark.parametrize("name", PLANS)
def test_what_is_skipped_is_read_from_an_index_alone(sqlite: Database, name: str) -> None:
    fields, index = PLANS[name]
    wanted = Wanted("idler", **fields)
    found = plan(sqlite, wanted)
    assert f"USING COVERING INDEX {index} (" in found
    assert "TEMP B-TREE" not in found and "SCAN sessions" not in found


def test_of_those_asked_for_all_are_looked_at_for_a_status(sqlite: Database) -> None:
    found = plan(sqlite, Wanted("idler", SessionStatus.COMPLETED, Trigger.BACKFILL))
    assert "USING INDEX ix_sessions_agent_trigger (agent_key=? AND trigger=?)" in found


def test_active_ones_are_found_among_the_active_ones(sqlite: Database) -> None:
    found = plan(sqlite, Wanted("idler", SessionStatus.RUNNING))
    assert "SCAN sessions USING INDEX ix_sessions_active" in found


def plan(database: Database, wanted: Wanted) -> str:
    query = wanted.newest_first.params(wanted.given).limit(50).offset(100)
    compiled = query.compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as db:
        rows = db.execute(text(f"EXPLAIN QUERY PLAN {compiled}".replace(":", "\\:")))
        return "\n".join(str(row[-1]) for row in rows)
