"""Claims and ends of many sessions at once hold to the rules of one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from redis import Redis
from sqlalchemy import select

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.states import HoldReason, Priority
from neonhub.execution.claims import Claim, Wanted
from neonhub.execution.endings import Ended, Outcome
from neonhub.execution.leases import Running, renew_all
from neonhub.execution.turns import turn
from neonhub.models import Agent, AgentSession, Attempt, SessionEvent, Slot
from neonhub.redis import keys
from tests.factories import (
    NOW,
    add_agent,
    add_fleet,
    add_schedule,
    add_session,
    change_limit,
    reload,
)
from tests.turns import claim_all, finish, finish_all

LATER = NOW + timedelta(seconds=2)
ERROR = {"type": "RuntimeError", "message": "no", "traceback": "…"}


def wanted(sessions: Sequence[AgentSession]) -> list[Wanted]:
    return [Wanted(session.id, session.attempt, "w1") for session in sessions]


def start(database: Database, sessions: Sequence[AgentSession]) -> list[Claim]:
    return claim_all(database, wanted(sessions), now=NOW)[0]


def returned(claims: Sequence[Claim]) -> list[Ended]:
    return [Ended(each, Outcome(AttemptEnd.RETURNED, result={"n": 1})) for each in claims]


def many(database: Database, agent: Agent, count: int, **values: Any) -> list[AgentSession]:
    sessions = [add_session(database, agent, **values) for _ in range(count)]
    # Alike in all else, they are taken by their ids, which of one millisecond are in no order.
    return sorted(sessions, key=lambda session: session.id)


def test_two_workers_who_want_the_same_sessions_get_each_once(
    database: Database, agent: Agent
) -> None:
    sessions = many(database, agent, 4)
    with ThreadPoolExecutor(2) as pool:
        claims = list(pool.map(lambda s: start(database, s), [sessions[:3], sessions[:0:-1]]))
    taken = sorted(claim.session_id for of_one in claims for claim in of_one)
    assert taken == sorted(session.id for session in sessions)


def test_free_slots_go_to_the_most_urgent_and_the_rest_is_held(database: Database) -> None:
    add_fleet(database, max_concurrent=2)
    agent = add_agent(database)
    low, high, urgent = (
        add_session(database, agent, priority=priority)
        for priority in (Priority.LOW, Priority.HIGH, Priority.CRITICAL)
    )
    claims, outbox = claim_all(database, wanted([low, high, urgent]), now=NOW)
    assert [claim.session_id for claim in claims] == [urgent.id, high.id]
    assert reload(database, low).hold_reason == HoldReason.SLOT
    assert [event.session_id for event in outbox.events] == [urgent.id, high.id]


def test_a_reserved_slot_goes_to_its_session_alone(database: Database) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    running = start(database, many(database, agent, 1))
    held = add_session(database, agent, hold_reason=HoldReason.SLOT)
    finish_all(database, returned(running), now=NOW)
    newcomer = add_session(database, agent, priority=Priority.CRITICAL)
    claims = start(database, [newcomer, held])
    assert [claim.session_id for claim in claims] == [held.id]
    assert reload(database, newcomer).hold_reason == HoldReason.SLOT


def test_a_session_wanted_twice_is_taken_once(database: Database, agent: Agent) -> None:
    [session] = many(database, agent, 1)
    assert len(start(database, [session, session])) == 1


def test_a_ghost_among_others_changes_nothing(database: Database, agent: Agent) -> None:
    claims = start(database, many(database, agent, 3))
    ghost = claims[1]
    finish(database, ghost, Outcome(AttemptEnd.LOST, error=ERROR), now=NOW)
    written, outbox = finish_all(database, returned(claims), now=LATER)
    assert written == {claims[0].session_id, claims[2].session_id}
    assert {event.session_id for event in outbox.events} == written
    with database.read() as db:
        assert db.get_one(AgentSession, ghost.session_id).result is None
        assert db.get_one(Attempt, (ghost.session_id, 1)).outcome == "LOST"


def test_each_end_of_a_batch_goes_its_own_way(database: Database, agent: Agent) -> None:
    claims = start(database, many(database, agent, 4))
    ends = [
        Outcome(AttemptEnd.RETURNED, result="text", progress=40.0, progress_message="four"),
        Outcome(AttemptEnd.RAISED, error=ERROR),
        Outcome(AttemptEnd.REFUSED, error=ERROR),
        Outcome(AttemptEnd.HANDED_BACK),
    ]
    ended = [Ended(claim, outcome) for claim, outcome in zip(claims, ends, strict=True)]
    _, outbox = finish_all(database, ended, now=LATER)
    with database.read() as db:
        one, two, three, four = (db.get_one(AgentSession, claim.session_id) for claim in claims)
        assert (one.status, one.result, one.progress) == ("COMPLETED", "text", 40.0)
        assert (two.status, two.error, two.failures) == ("RETRYING", ERROR, 1)
        assert (three.status, three.finished_at) == ("FAILED", LATER)
        assert (four.status, four.attempt, four.pushes) == ("QUEUED", 2, 2)
    assert [job.session_id for job in outbox.jobs] == [claims[3].session_id]
    assert [move.member for move in outbox.moves] == [f"retry:{claims[1].session_id}"]
    assert [ended.status for ended in outbox.ended] == ["COMPLETED", "FAILED"]


def test_no_result_is_null_in_the_database(database: Database, agent: Agent) -> None:
    claims = start(database, many(database, agent, 1))
    finish_all(database, [Ended(claims[0], Outcome(AttemptEnd.RETURNED))], now=LATER)
    with database.read() as db:
        assert db.scalars(select(AgentSession.id).where(AgentSession.result.is_(None))).all()


def test_a_batch_releases_as_many_as_it_frees_slots(database: Database) -> None:
    add_fleet(database, max_concurrent=2)
    agent = add_agent(database)
    claims = start(database, many(database, agent, 2))
    held = many(database, agent, 3, hold_reason=HoldReason.SLOT)
    _, outbox = finish_all(database, returned(claims), now=LATER)
    assert [job.session_id for job in outbox.jobs] == [held[0].id, held[1].id]
    assert reload(database, held[2]).hold_reason == HoldReason.SLOT


def test_a_batch_releases_what_each_of_its_schedules_holds(
    database: Database, agent: Agent
) -> None:
    schedules = [add_schedule(database, agent, name=name) for name in ("a", "b", "c")]
    running = [add_session(database, agent, schedule_id=each.id) for each in schedules]
    held = [
        add_session(
            database, agent, schedule_id=each.id, hold_reason=HoldReason.OVERLAP, scheduled_for=NOW
        )
        for each in schedules[:2]
    ]
    _, outbox = finish_all(database, returned(start(database, running)), now=LATER)
    assert {job.session_id for job in outbox.jobs} == {session.id for session in held}


def test_a_lowered_limit_holds_when_a_batch_frees_slots(database: Database) -> None:
    add_fleet(database, max_concurrent=3)
    agent = add_agent(database)
    claims = start(database, many(database, agent, 3))
    change_limit(database, 1)
    finish_all(database, returned(claims), now=LATER)
    with database.read() as db:
        assert db.query(Slot).count() == 1


def test_in_a_turn_the_slots_of_what_ended_serve_what_starts(database: Database) -> None:
    add_fleet(database, max_concurrent=2)
    agent = add_agent(database)
    first = turn(database, [], wanted(many(database, agent, 2)), now=NOW)
    next_ones = many(database, agent, 3)
    second = turn(database, returned(first.claims), wanted(next_ones), now=LATER)
    assert second.written == {claim.session_id for claim in first.claims}
    assert [c.session_id for c in second.claims] == [next_ones[0].id, next_ones[1].id]
    names = [event.event for event in second.outbox.events]
    assert names == ["agent:completed"] * 2 + ["agent:started"] * 2


def test_a_newcomer_inherits_no_slot_that_somebody_is_held_for(database: Database) -> None:
    add_fleet(database, max_concurrent=1)
    agent = add_agent(database)
    first = turn(database, [], wanted(many(database, agent, 1)), now=NOW)
    held = add_session(database, agent, hold_reason=HoldReason.SLOT)
    newcomer = add_session(database, agent, priority=Priority.CRITICAL)
    second = turn(database, returned(first.claims), wanted([newcomer]), now=LATER)
    assert second.claims == []
    assert [job.session_id for job in second.outbox.jobs] == [held.id]
    assert reload(database, newcomer).hold_reason == HoldReason.SLOT


def test_a_newcomer_inherits_no_slot_that_is_one_too_many(database: Database) -> None:
    add_fleet(database, max_concurrent=2)
    agent = add_agent(database)
    first = turn(database, [], wanted(many(database, agent, 2)), now=NOW)
    change_limit(database, 1)
    newcomers = many(database, agent, 2)
    second = turn(database, returned(first.claims), wanted(newcomers), now=LATER)
    assert [claim.session_id for claim in second.claims] == [newcomers[0].id]
    with database.read() as db:
        assert [slot.session_id for slot in db.scalars(select(Slot))] == [newcomers[0].id]


def test_what_inherits_no_slot_takes_a_free_one(database: Database) -> None:
    add_fleet(database, max_concurrent=3)
    agent = add_agent(database)
    first = turn(database, [], wanted(many(database, agent, 1)), now=NOW)
    newcomers = many(database, agent, 3)
    second = turn(database, returned(first.claims), wanted(newcomers), now=LATER)
    assert len(second.claims) == 3
    with database.read() as db:
        taken = {slot.session_id for slot in db.scalars(select(Slot))}
    assert taken == {each.id for each in newcomers}


def test_events_are_published_with_the_ids_of_their_rows(database: Database, agent: Agent) -> None:
    outbox = turn(database, [], wanted(many(database, agent, 3)), now=NOW).outbox
    with database.read() as db:
        rows = {str(row.id): row.session_id for row in db.scalars(select(SessionEvent))}
    assert {str(event.row_id): event.session_id for event in outbox.events} == rows


def test_leases_are_renewed_together(database: Database, agent: Agent) -> None:
    mine, asked, ghost = start(database, many(database, agent, 3))
    finish(database, ghost, Outcome(AttemptEnd.LOST, error=ERROR), now=NOW)
    with database.begin() as db:
        db.get_one(AgentSession, asked.session_id).stop_requested_at = NOW
    running = [Running(mine, 12.5, "an eighth"), Running(asked), Running(ghost, 99.0, "late")]
    answers = renew_all(database, running, now=LATER)
    assert [(a.is_mine, a.stop_requested) for a in answers] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    with database.read() as db:
        lease = db.get_one(Attempt, (mine.session_id, 1)).lease_until
        assert lease == LATER + timedelta(seconds=15)
        assert db.get_one(AgentSession, mine.session_id).progress_message == "an eighth"
        assert db.get_one(AgentSession, ghost.session_id).progress is None


def test_a_turn_of_five_takes_few_statements(
    database: Database, agent: Agent, statements: list[str]
) -> None:
    schedule = add_schedule(database, agent, overlap="ALLOW")
    sessions = [add_session(database, agent, schedule_id=schedule.id) for _ in range(10)]
    first = turn(database, [], wanted(sessions[:5]), now=NOW)
    statements.clear()
    second = turn(database, returned(first.claims), wanted(sessions[5:]), now=LATER)
    assert len(second.written) == len(second.claims) == 5
    assert len([each for each in statements if not each.startswith("BEGIN")]) <= 9


def test_renewing_takes_two_statements(
    database: Database, agent: Agent, statements: list[str]
) -> None:
    claims = start(database, many(database, agent, 5))
    statements.clear()
    renew_all(database, [Running(claim, 50.0, "half") for claim in claims], now=LATER)
    assert len([each for each in statements if not each.startswith("BEGIN")]) == 2


def test_all_is_delivered_in_one_round_trip(
    database: Database, redis_connection: Redis, agent: Agent
) -> None:
    ended = returned(start(database, many(database, agent, 3)))
    outbox = finish_all(database, ended, now=LATER)[1]
    outbox.signals.append(keys.STOP_PREFIX + "s")
    outbox.deliver(redis_connection)  # the server learns the scripts
    calls = int(redis_connection.info("stats")["total_reads_processed"])
    outbox.deliver(redis_connection)
    assert int(redis_connection.info("stats")["total_reads_processed"]) - calls == 2
    assert redis_connection.xlen(keys.EVENTS_STREAM) == 3
    assert redis_connection.exists(keys.STOP_PREFIX + "s")
