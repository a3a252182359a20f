"""Statements run past SQLAlchemy behave as those it runs."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Text, bindparam, insert, literal, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from neonhub.database import Database, connection_of
from neonhub.migrations import migrate
from neonhub.models import Agent, Schedule
from neonhub.models.types import UtcDateTime
from neonhub.statements import Query, run, run_all, run_made, run_unread
from tests.factories import NOW, add_agent, add_schedule

COLUMNS = (Agent.key, Agent.slug, Agent.config, Agent.created_at, Agent.deleted_at)
CREATED = select(*COLUMNS).where(Agent.created_at == bindparam("at", type_=UtcDateTime()))
NAMES = select(Agent.name)
COPIED = insert(Agent).from_select(
    [each.key for each in Agent.__table__.columns], select(Agent.__table__)
)


def test_rows_are_as_sqlalchemy_gives_them(database: Database) -> None:
    add_agent(database, depth=[1, None], name="ünï")
    with database.begin() as db:
        connection, _ = connection_of(db)
        (row,) = run(connection, CREATED, {"at": NOW})
        assert tuple(row) == tuple(connection.execute(CREATED, {"at": NOW}).one())
        assert row.created_at == NOW
        assert row.config["depth"] == [1, None]


def test_numbers_are_what_their_columns_say(database: Database) -> None:
    add_schedule(database, add_agent(database), interval="90s", interval_seconds=90.5)
    columns = (Schedule.interval_seconds, Schedule.max_runs, Schedule.skip_next)
    with database.begin() as db:
        (row,) = run(connection_of(db)[0], select(*columns), {})
    assert [type(value) for value in row] == [float, type(None), bool]


def test_rows_can_be_read_one_by_one(database: Database) -> None:
    agent = add_agent(database)
    with database.begin() as db:
        connection, _ = connection_of(db)
        (unread,), read, (names,) = run_unread(connection, (CREATED, {"at": NOW}), [(NAMES, {})])
        assert unread.slug == read(unread).slug == agent.slug
        assert [read(unread)] == run(connection, CREATED, {"at": NOW})
        assert names == [(agent.name,)]


def test_what_returns_no_rows_gives_none(database: Database) -> None:
    with database.begin() as db:
        assert run(connection_of(db)[0], COPIED, {}) == []


def test_a_refusal_is_sqlalchemys_own(database: Database) -> None:
    add_agent(database)
    with pytest.raises(IntegrityError), database.begin() as db:
        run(connection_of(db)[0], COPIED, {})
    with database.begin() as db:
        assert len(run(connection_of(db)[0], CREATED, {"at": NOW})) == 1


def test_several_are_run_in_their_order_and_nothing_in_place_of_none(database: Database) -> None:
    add_agent(database)
    renamed = update(Agent).values(name="two").returning(Agent.name)
    with database.begin() as db:
        queries: list[Query | None] = [(CREATED, {"at": NOW}), None, (renamed, {}), (NAMES, {})]
        created, nothing, changed, names = run_all(connection_of(db)[0], queries)
    assert (len(created), nothing) == (1, [])
    assert [row.name for row in changed] == [row.name for row in names] == ["two"]


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_one_refused_among_several_is_named_and_nothing_is_left_of_them(
    database: Database, before: int, after: int
) -> None:
    name = add_agent(database).name
    renamed: Query = (update(Agent).values(name="two"), {})
    for _ in range(8):  # within them the driver begins to prepare the statements
        with pytest.raises(IntegrityError) as caught, database.begin() as db:
            run_all(connection_of(db)[0], [renamed] * before + [(COPIED, {})] + [renamed] * after)
        assert str(caught.value.statement).startswith("INSERT INTO agents")
        with database.begin() as db:
            assert [row.name for row in run(connection_of(db)[0], NAMES, {})] == [name]


def test_what_the_driver_itself_refuses_is_named_too(postgres_url: str) -> None:
    database = Database(postgres_url)
    shown = select(bindparam("shown", type_=Text()).label("shown"))
    with pytest.raises(DataError), database.begin() as db:
        run_all(connection_of(db)[0], [(shown, {"shown": each}) for each in ("a", "\0", "b")])
    with database.begin() as db:
        found = run_all(connection_of(db)[0], [(shown, {"shown": each}) for each in "ab"])
    assert [row.shown for (row,) in found] == ["a", "b"]
    database.close()


@pytest.mark.parametrize("count", [1, 3])
def test_a_connection_that_ends_in_between_is_given_up(postgres_url: str, count: int) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    version = select(literal(1).label("one"))
    with pytest.raises(OperationalError) as caught, database.begin() as db:
        connection, _ = connection_of(db)
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        with other.begin() as killer:
            killer.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
        run_all(connection, [(version, {})] * count)
    assert caught.value.connection_invalidated
    with database.begin() as db:
        assert len(run(connection_of(db)[0], version, {})) == 1
    other.close()
    database.close()


@pytest.mark.parametrize("aside", [False, True])
def test_what_is_made_meanwhile_is_run_in_its_order_and_counted(
    database: Database, aside: bool
) -> None:
    add_agent(database)
    add_agent(database, "another")
    made: list[str] = []

    def queries() -> Iterator[Query]:
        for name in ("one", "two", "three"):
            made.append(name)
            yield update(Agent).values(name=bindparam("new", type_=Text())), {"new": name}

    with database.begin() as db:
        connection, _ = connection_of(db)
        assert run_made(connection, queries(), aside=aside) == 3 * 2
        assert made == ["one", "two", "three"]
        assert {row.name for row in run(connection, NAMES, {})} == {"three"}
        assert run_made(connection, [], aside=aside) == 0


@pytest.mark.parametrize("aside", [False, True])
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("after", [0, 3])
def test_what_is_refused_of_what_is_made_is_named(
    database: Database, aside: bool, before: int, after: int
) -> None:
    name = add_agent(database).name
    renamed: Query = (update(Agent).values(name="two"), {})
    queries = [renamed] * before + [(COPIED, {})] + [renamed] * after
    with pytest.raises(IntegrityError) as caught, database.begin() as db:
        run_made(connection_of(db)[0], iter(queries), aside=aside)
    assert str(caught.value.statement).startswith("INSERT INTO agents")
    with database.begin() as db:
        assert [row.name for row in run(connection_of(db)[0], NAMES, {})] == [name]


@pytest.mark.parametrize("aside", [False, True])
def test_what_fails_to_make_a_statement_is_raised(database: Database, aside: bool) -> None:
    name = add_agent(database).name

    def queries() -> Iterator[Query]:
        yield update(Agent).values(name="two"), {}
        raise ArithmeticError("no more")

    with pytest.raises(ArithmeticError, match="no more"), database.begin() as db:
        run_made(connection_of(db)[0], queries(), aside=aside)
    with database.begin() as db:
        assert [row.name for row in run(connection_of(db)[0], NAMES, {})] == [name]


@pytest.mark.parametrize("count", [0, 3])
def test_a_connection_that_has_ended_before_the_first_is_given_up(
    postgres_url: str, count: int
) -> None:
    database = Database(postgres_url)
    query: Query = (update(Agent).values(name="two"), {})
    migrate(database)
    with pytest.raises(OperationalError) as caught, database.begin() as db:
        connection, _ = connection_of(db)
        connection.connection.dbapi_connection.close()  # type: ignore[union-attr]
        run_made(connection, [query] * count)
    assert caught.value.connection_invalidated
    with database.begin() as db:
        assert run(connection_of(db)[0], NAMES, {}) == []
    database.close()
