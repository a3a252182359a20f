"""A pool's statements find rows by their keys, whatever PostgreSQL knew of the tables by then."""

import re
from collections.abc import Iterator

import pytest

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.claims import Wanted
from neonhub.execution.endings import Ended, Outcome
from neonhub.execution.leases import Running, renew_all
from tests.factories import NOW, add_agent, add_fleet, add_session
from tests.services import create_postgres_database, drop_postgres_database
from tests.turns import claim_all, finish_all

GROWING = re.compile("^(pk_|ix_|uq_)?(sessions|attempts)(?!_held_for_slot)")


@pytest.fixture
def database(postgres_server_url: str, postgres_template: str) -> Iterator[Database]:
    """The database as a pool uses it; its tables are empty, and nothing is known of them."""
    url = create_postgres_database(postgres_server_url, postgres_template)
    database = Database(url, by_key=True)
    yield database
    database.close()
    drop_postgres_database(postgres_server_url, url)


def test_no_plan_reads_all_sessions_or_all_attempts(
    database: Database, statements: list[str]
) -> None:
    add_fleet(database)
    session = add_session(database, add_agent(database))
    statements.clear()
    claims, _ = claim_all(database, [Wanted(session.id, 1, "w")], now=NOW)
    renew_all(database, [Running(claims[0], 50.0, "half")], now=NOW)
    finish_all(database, [Ended(claims[0], Outcome(AttemptEnd.RETURNED))], now=NOW)
    ways = {way for statement in list(statements) for way in _ways(database, statement)}
    assert ways == {("pk_sessions", True), ("pk_attempts", True)}


def _ways(database: Database, statement: str) -> Iterator[tuple[str, bool]]:
    """How a statement's plan, made for any values, finds the rows of the tables that grow.

    Returns:
        Of each scan the table or index it reads, and whether it looks something up there.
    """
    names: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    generic = re.sub(r"%\((\w+)\)s", numbered, statement)
    with database.engine.connect() as connection:
        explain = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {generic}"
        nodes = [connection.exec_driver_sql(explain).scalar_one()[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        way = node.get("Index Name") or node.get("Relation Name", "")
        is_bitmap = node["Node Type"] == "Bitmap Heap Scan"  # of the index scan below it
        if "Scan" in node["Node Type"] and not is_bitmap and GROWING.search(way):
            yield way, "Index Cond" in node
