"""The end of an attempt, and who is set free by it."""

from datetime import timedelta

import pytest

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.states import HoldReason, Priority, SessionStatus
from neonhub.execution.claims import Claim
from neonhub.execution.endings import Outcome
from neonhub.execution.outbox import Outbox
from neonhub.models import Agent, AgentSession, Attempt, Slot
from tests.factories import (
    NOW,
    add_agent,
    add_fleet,
    add_schedule,
    add_session,
    change_limit,
    reload,
)
from tests.turns import claim, finish

ERROR = {"type": "RuntimeError", "message": "no", "traceback": "…"}


def start(database: Database, session: AgentSession, attempt: int = 1) -> Claim:
    taken, _ = claim(database, session.id, attempt=attempt, worker="w1", now=NOW)
    assert taken is not None
    return taken


def end(database: Database, taken: Claim, how: str, **left: object) -> Outbox | None:
    outcome = Outcome(AttemptEnd(how), **left)  # type: ignore[arg-type]
    return finish(database, taken, outcome, now=NOW + timedelta(seconds=2))


def test_a_result_completes_the_session(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    outbox = end(database, start(database, session), "RETURNED", result={"pages": 3})
    ended = reload(database, session)
    assert (ended.status, ended.result) == (SessionStatus.COMPLETED, {"pages": 3})
    assert ended.finished_at == NOW + timedelta(seconds=2)
    assert outbox is not None and [e.event for e in outbox.events] == ["agent:completed"]


def test_a_failure_sets_the_timer_of_its_retry(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    outbox = end(database, start(database, session), "RAISED", error=ERROR)
    waiting = reload(database, session)
    assert (waiting.status, waiting.attempt) == (SessionStatus.RETRYING, 1)
    assert outbox is not None and waiting.next_attempt_at == NOW + timedelta(seconds=3)
    assert outbox.moves[0].member == f"retry:{session.id}"
    assert outbox.moves[0].score == (NOW + timedelta(seconds=3)).timestamp()


def test_a_failure_tells_what_follows(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    outbox = end(database, start(database, session), "RAISED", error=ERROR)
    assert outbox is not None
    data = outbox.events[0].data
    assert (data["status"], data["reason"], data["willRetry"]) == ("RETRYING", "error", True)
    assert data["nextAttemptAt"] == "2026-03-02T12:00:03Z"


def test_a_ghost_changes_no_row(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    taken = start(database, session)
    assert end(database, taken, "LOST", error=ERROR) is not None
    assert end(database, taken, "RETURNED", result={"late": True}) is None
    assert reload(database, session).result is None


def test_a_lost_attempt_starts_again_at_once_with_the_next_number(
    database: Database, agent: Agent
) -> None:
    session = add_session(database, agent)
    outbox = end(database, start(database, session), "LOST", error=ERROR)
    again = reload(database, session)
    assert (again.status, again.attempt, again.failures) == (SessionStatus.QUEUED, 2, 0)
    assert outbox is not None and [job.id for job in outbox.jobs] == [f"{session.id}-2-2"]


def test_the_third_lost_worker_ends_the_session(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    for attempt in (1, 2, 3):
        end(database, start(database, session, attempt), "LOST", error=ERROR)
    ended = reload(database, session)
    assert (ended.status, ended.reason) == (SessionStatus.FAILED, "worker_lost")


def test_every_attempt_is_kept_with_its_outcome(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    end(database, start(database, session), "HANDED_BACK")
    end(database, start(database, session, 2), "RETURNED")
    with database.read() as db:
        rows = db.query(Attempt).order_by(Attempt.number).all()
        assert [(row.number, row.outcome) for row in rows] == [(1, "HANDED_BACK"), (2, "RETURNED")]


@pytest.mark.parametrize("how", ["RETURNED", "RAISED", "LOST"])
def test_the_slot_goes_to_the_most_urgent_held_session(database: Database, how: str) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    running = start(database, add_session(database, agent))
    low = add_session(database, agent, priority=Priority.LOW, hold_reason=HoldReason.SLOT)
    urgent = add_session(database, agent, priority=Priority.CRITICAL, hold_reason=HoldReason.SLOT)
    outbox = end(database, running, how)
    assert outbox is not None and outbox.jobs[0].session_id == urgent.id
    assert outbox.jobs[0].queue == "critical"
    assert reload(database, low).hold_reason == HoldReason.SLOT


def test_a_newcomer_does_not_take_the_slot_of_a_released_one(database: Database) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    running = start(database, add_session(database, agent))
    held = add_session(database, agent, hold_reason=HoldReason.SLOT)
    end(database, running, "RETURNED")
    newcomer = add_session(database, agent, priority=Priority.CRITICAL)
    assert claim(database, newcomer.id, attempt=1, worker="w2", now=NOW)[0] is None
    assert start(database, held).session_id == held.id


def test_a_reservation_nobody_comes_for_is_given_away(database: Database) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    running = start(database, add_session(database, agent))
    add_session(database, agent, hold_reason=HoldReason.SLOT)
    end(database, running, "RETURNED")
    newcomer = add_session(database, agent)
    later = NOW + timedelta(minutes=1)
    assert claim(database, newcomer.id, attempt=1, worker="w2", now=later)[0] is not None


def test_a_lowered_limit_holds_as_soon_as_slots_are_freed(database: Database) -> None:
    add_fleet(database, max_concurrent=3)
    agent = add_agent(database)
    running = [start(database, add_session(database, agent)) for _ in range(3)]
    change_limit(database, 1)
    for taken in running:
        end(database, taken, "RETURNED")
    with database.read() as db:
        assert db.query(Slot).count() == 1


def test_the_next_held_session_of_a_schedule_is_released(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent)
    running = start(database, add_session(database, agent, schedule_id=schedule.id))
    waiting = add_session(
        database, agent, schedule_id=schedule.id, hold_reason=HoldReason.OVERLAP, scheduled_for=NOW
    )
    outbox = end(database, running, "RETURNED")
    assert outbox is not None and [job.session_id for job in outbox.jobs] == [waiting.id]
    assert reload(database, waiting).hold_reason is None


def test_a_retrying_session_still_blocks_its_schedule(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent)
    running = start(database, add_session(database, agent, schedule_id=schedule.id))
    waiting = add_session(
        database, agent, schedule_id=schedule.id, hold_reason=HoldReason.OVERLAP, scheduled_for=NOW
    )
    end(database, running, "RAISED", error=ERROR)
    assert reload(database, waiting).hold_reason == HoldReason.OVERLAP
