"""What may go is found along indexes, however large the tables are."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from neonhub.database import Database
from neonhub.domain.retention import Bound, Place
from neonhub.models import Agent
from neonhub.retention.removal import oldest_events
from neonhub.retention.selection import first_over, last_runs, page
from tests.factories import NOW

BOUND = Bound(Place(NOW, "f"), NOW)
AFTER = Place(NOW - timedelta(days=1), "a")

QUERIES = {
    "a page of what goes": (page(1, BOUND, AFTER, limit=100), "ix_sessions_agent_history"),
    "the first over the count": (first_over(1, 1000), "ix_sessions_agent_history"),
    "the last runs": (last_runs(["a", "b"]), "ix_sessions_runs"),
    "events of no session": (oldest_events(NOW, 500), "ix_session_events_session_id_id"),
}
READS_A_TABLE = ("Seq Scan", "SCAN sessions", "SCAN session_events", "SCAN schedules")
SORTS = ("Sort  (", "USE TEMP B-TREE")


def plan(database: Database, query: Any) -> str:
    """How the database would go about it."""
    compiled = query.compile(database.engine, compile_kwargs={"literal_binds": True})
    how = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as db:
        if not database.is_sqlite:
            # Of a few rows it would read them all; what counts is the plan for millions.
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
                db.execute(text(f"SET LOCAL enable_{way} = off"))
        # A colon would begin a parameter.
        rows = db.execute(text(f"{how} {compiled}".replace(":", "\\:")))
        return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_or_sorts_a_whole_table(database: Database, agent: Agent, name: str) -> None:
    query, index = QUERIES[name]
    found = plan(database, query)
    assert index in found
    assert not [words for words in (*READS_A_TABLE, *SORTS) if words in found], found


def test_a_page_is_found_by_its_two_ends(database: Database, agent: Agent) -> None:
    found = plan(database, QUERIES["a page of what goes"][0])
    ends = found if database.is_sqlite else found.partition("Index Cond: ")[2].splitlines()[0]
    assert "queued_at>? AND queued_at<?" in ends or ends.count("queued_at") >= 2
