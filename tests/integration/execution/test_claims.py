"""Of all who want a session, one gets it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from neonhub.database import Database
from neonhub.domain.states import HoldReason, Priority, SessionStatus
from neonhub.execution.claims import Claim
from neonhub.execution.outbox import Outbox
from neonhub.models import Agent, AgentSession, Attempt, Slot
from tests.factories import NOW, add_agent, add_fleet, add_session, reload
from tests.turns import claim


def take(database: Database, session: AgentSession, attempt: int = 1) -> Claim | None:
    return claim(database, session.id, attempt=attempt, worker="w1", now=NOW)[0]


def test_a_claim_carries_what_the_agent_needs(database: Database) -> None:
    add_fleet(database, lease_ms=9000)
    agent = add_agent(database, kind="http", url="a", method="GET")
    session = add_session(database, agent, input={"url": "b"}, timeout_seconds=7)
    taken = take(database, session)
    assert taken is not None
    assert taken.config == {"url": "b", "method": "GET"}
    assert (taken.kind, taken.timeout_seconds, taken.lease_ms) == ("http", 7, 9000)


def test_a_claimed_session_runs_under_a_lease(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    taken = take(database, session)
    now_running = reload(database, session)
    assert (now_running.status, now_running.worker) == (SessionStatus.RUNNING, "w1")
    with database.read() as db:
        attempt = db.get_one(Attempt, (session.id, 1))
        assert taken is not None and attempt.token == taken.token
        assert attempt.lease_until == NOW + timedelta(seconds=15)


def test_of_many_copies_of_one_job_one_is_taken(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: take(database, session), range(8)))
    assert sum(taken is not None for taken in claims) == 1


def test_a_job_of_an_earlier_start_finds_nothing(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, attempt=2)
    assert take(database, session, attempt=1) is None
    assert reload(database, session).status == SessionStatus.QUEUED


def test_a_held_session_does_not_start(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, hold_reason=HoldReason.OVERLAP)
    assert take(database, session) is None


def test_an_unknown_session_is_nobody_s(database: Database, agent: Agent) -> None:
    taken, outbox = claim(database, "f" * 32, attempt=1, worker="w1", now=NOW)
    assert taken is None and outbox == Outbox()


def test_without_a_free_slot_the_session_is_held(database: Database) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    first, second = add_session(database, agent), add_session(database, agent)
    assert take(database, first) is not None
    assert take(database, second) is None
    assert reload(database, second).hold_reason == HoldReason.SLOT


def test_never_more_run_than_there_are_slots(database: Database) -> None:
    add_fleet(database, max_concurrent=3)
    agent = add_agent(database)
    sessions = [add_session(database, agent) for _ in range(12)]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda session: take(database, session), sessions))
    assert sum(taken is not None for taken in claims) == 3
    with database.read() as db:
        assert db.query(Slot).filter(Slot.session_id.is_not(None)).count() == 3


def test_the_start_is_told_in_the_log_and_to_watchers(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, priority=Priority.HIGH)
    _, outbox = claim(database, session.id, attempt=1, worker="w1", now=NOW)
    [event] = outbox.events
    data: dict[str, Any] = dict(event.data)
    assert (event.event, event.session_id) == ("agent:started", session.id)
    assert (data["attempt"], data["worker"], data["priority"]) == (1, "w1", "HIGH")
