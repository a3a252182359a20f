"""Ended sessions and their logs are removed by age and count, and nothing else is."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.retention import Retention
from neonhub.domain.states import ACTIVE, SessionStatus, Trigger
from neonhub.execution.endings import Outcome
from neonhub.models import (
    Agent,
    AgentSession,
    Attempt,
    IdempotencyKey,
    Schedule,
    ScheduleVersion,
    SessionEvent,
)
from neonhub.retention.pruned import Pruned, total
from neonhub.retention.pruning import Pruning
from neonhub.scheduling.last_runs import last_runs
from tests.factories import NOW, add_agent, add_schedule, add_session
from tests.turns import claim, finish

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OLD = NOW - 91 * DAY
ENDED = [status for status in SessionStatus if status not in ACTIVE]
KEEP_90_DAYS = Retention(90, 0)


def ended(database: Database, agent: Agent, at: datetime, **values: Any) -> AgentSession:
    """A session that was queued and ended at an instant."""
    same = {"status": SessionStatus.COMPLETED, "queued_at": at, "finished_at": at}
    return add_session(database, agent, **(same | values))


def ran(database: Database, agent: Agent, at: datetime, **values: Any) -> AgentSession:
    """A session that ran at an instant, with one attempt and two lines of log."""
    session = ended(database, agent, at, started_at=at, **values)
    about = {"session_id": session.id, "type": "t", "data": {}, "created_at": at}
    attempt = {"token": "t", "worker": "w", "started_at": at, "lease_until": at, "finished_at": at}
    with database.begin() as db:
        db.add_all([SessionEvent(**about), SessionEvent(**about)])
        db.add(Attempt(session_id=session.id, number=1, **attempt))
    return session


def tick(schedule: Schedule, at: datetime, **values: Any) -> dict[str, Any]:
    """What makes a session the one of a tick."""
    named = {"schedule_id": schedule.id, "tick_at": at, "scheduled_for": at}
    return {**named, "trigger": Trigger.SCHEDULE, **values}


def prune(database: Database, retention: Retention, now: datetime = NOW, **sizes: int) -> Pruned:
    pruning = Pruning(database, retention, **sizes)
    expected = total(pruning.survey(now))
    removed = total(pruning.run(now))
    assert removed == expected, "the dry run says what happens"
    assert total(pruning.run(now)) == Pruned(), "a second time nothing is left"
    return removed


def left(database: Database, table: Any = AgentSession) -> set[Any]:
    with database.read() as db:
        return set(db.scalars(select(table.id if table is not Attempt else table.session_id)))


def pruned_until(database: Database, schedule: Schedule) -> datetime | None:
    with database.read() as db:
        return db.get_one(Schedule, schedule.id).pruned_until


@pytest.mark.parametrize("status", ENDED)
def test_what_ended_long_ago_goes_however_it_ended(
    database: Database, agent: Agent, status: SessionStatus
) -> None:
    ended(database, agent, OLD, status=status)
    young = ended(database, agent, NOW - 89 * DAY, status=status)
    assert prune(database, KEEP_90_DAYS) == Pruned(sessions=1)
    assert left(database) == {young.id}


def test_a_session_goes_with_its_log_and_its_attempts(database: Database, agent: Agent) -> None:
    ran(database, agent, OLD)
    young = ran(database, agent, NOW - DAY)
    assert prune(database, KEEP_90_DAYS) == Pruned(sessions=1, attempts=1, log_lines=2)
    assert left(database) == left(database, Attempt) == {young.id}
    assert len(left(database, SessionEvent)) == 2


def test_what_is_not_over_stays(database: Database, agent: Agent) -> None:
    add_session(database, agent, queued_at=OLD)
    add_session(database, agent, queued_at=OLD, hold_reason="backfill")
    again = {"status": SessionStatus.RETRYING, "next_attempt_at": NOW}
    add_session(database, agent, queued_at=OLD, **again)
    add_session(database, agent, queued_at=OLD, status=SessionStatus.RUNNING, started_at=OLD)
    assert prune(database, Retention(90, 1)) == Pruned()
    assert len(left(database)) == 4


def test_age_is_counted_from_the_end(database: Database, agent: Agent) -> None:
    ended(database, agent, OLD, finished_at=NOW - 89 * DAY)
    assert prune(database, KEEP_90_DAYS) == Pruned()


def test_the_newest_of_each_agent_are_kept(database: Database, agent: Agent) -> None:
    other = add_agent(database, "other")
    mine = [ended(database, agent, NOW - n * DAY).id for n in range(1, 6)]
    theirs = [ended(database, other, NOW - n * DAY).id for n in range(1, 3)]
    waiting = add_session(database, agent, queued_at=NOW - DAY / 2)  # is not counted
    assert prune(database, Retention(0, 2)) == Pruned(sessions=3)
    assert left(database) == {*mine[:2], *theirs, waiting.id}


def test_of_many_queued_at_one_instant_exactly_so_many_stay(
    database: Database, agent: Agent
) -> None:
    ids = sorted(ended(database, agent, NOW - DAY).id for _ in range(7))
    assert prune(database, Retention(0, 3), sessions=2) == Pruned(sessions=4)
    assert left(database) == set(ids[4:])


def test_what_ended_within_the_last_hour_is_one_too_many_and_stays(
    database: Database, agent: Agent
) -> None:
    for n in range(5):
        ended(database, agent, NOW - n * HOUR / 2)
    assert prune(database, Retention(0, 1)) == Pruned(sessions=2)


def test_the_nearer_of_two_limits_counts(database: Database, agent: Agent) -> None:
    for n in range(1, 11):
        ended(database, agent, NOW - n * DAY)
    assert prune(database, Retention(8, 5)) == Pruned(sessions=5)
    assert prune(database, Retention(3, 5)) == Pruned(sessions=2)


def test_without_limits_everything_stays(database: Database, agent: Agent) -> None:
    ran(database, agent, NOW - 5000 * DAY)
    assert prune(database, Retention(0, 0)) == Pruned()
    assert len(left(database)) == 1


def test_the_sessions_of_a_removed_agent_go_too(database: Database, agent: Agent) -> None:
    ended(database, agent, OLD)
    with database.begin() as db:
        db.get_one(Agent, agent.key).deleted_at = NOW
    assert prune(database, KEEP_90_DAYS) == Pruned(sessions=1)


def test_the_last_run_of_a_schedule_stays(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent)
    for n in (5, 4, 3):
        ran(database, agent, OLD - n * HOUR, **tick(schedule, OLD - n * HOUR))
    for n in (2, 1):  # a run that never started is no last run
        skipped = {"status": SessionStatus.SKIPPED, "reason": "overlap"}
        ended(database, agent, OLD - n * HOUR, **tick(schedule, OLD - n * HOUR), **skipped)
    before = last_runs(database, [schedule.id])
    assert prune(database, Retention(90, 1), sessions=2).sessions == 4
    assert last_runs(database, [schedule.id]) == before
    assert len(before) == 1


def test_the_last_run_of_a_removed_schedule_goes(database: Database, agent: Agent) -> None:
    gone = {"deleted_at": NOW, "next_tick_at": None}
    schedule = add_schedule(database, agent, **gone)
    ran(database, agent, OLD, **tick(schedule, OLD))
    assert prune(database, KEEP_90_DAYS).sessions == 1


def test_a_schedule_keeps_its_count_its_next_tick_and_its_versions(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent, run_count=7, max_runs=9)
    with database.begin() as db:
        db.add(ScheduleVersion(schedule_id=schedule.id, version=1, valid_from=OLD, body={}))
    for n in (3, 2):
        ran(database, agent, OLD - n * HOUR, **tick(schedule, OLD - n * HOUR))
    assert prune(database, KEEP_90_DAYS).sessions == 1
    with database.read() as db:
        after = db.get_one(Schedule, schedule.id)
        assert db.get(ScheduleVersion, (schedule.id, 1)) is not None
    assert (after.run_count, after.next_tick_at) == (7, schedule.next_tick_at)
    assert (after.version, after.updated_at) == (1, schedule.updated_at)


def test_a_schedule_remembers_its_newest_tick_that_is_pruned(
    database: Database, agent: Agent
) -> None:
    schedule, other = add_schedule(database, agent), add_schedule(database, agent, name="other")
    for n in (3, 2, 1):
        ended(database, agent, OLD - n * HOUR, **tick(schedule, OLD - n * HOUR))
    ended(database, agent, NOW, **tick(schedule, NOW))
    prune(database, KEEP_90_DAYS, sessions=1)
    assert pruned_until(database, schedule) == OLD - HOUR
    assert pruned_until(database, other) is None


def test_an_older_tick_that_is_pruned_later_moves_nothing_back(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent)
    ended(database, agent, OLD, **tick(schedule, OLD))
    prune(database, KEEP_90_DAYS)
    backfilled = tick(schedule, OLD - DAY, trigger=Trigger.BACKFILL)
    ended(database, agent, OLD + HOUR, **backfilled)
    prune(database, KEEP_90_DAYS)
    assert pruned_until(database, schedule) == OLD


def test_manual_runs_of_a_schedule_say_nothing_of_its_ticks(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent)
    ended(database, agent, OLD, schedule_id=schedule.id)
    assert prune(database, KEEP_90_DAYS).sessions == 1
    assert pruned_until(database, schedule) is None


def test_events_of_no_session_go_by_age(database: Database, agent: Agent) -> None:
    about = {"event": "scheduler:status", "type": "t", "data": {}}
    with database.begin() as db:
        db.add_all(SessionEvent(**about, created_at=OLD) for _ in range(5))
        db.add(SessionEvent(**about, created_at=NOW - DAY))
    assert prune(database, Retention(0, 1)) == Pruned()
    assert prune(database, KEEP_90_DAYS, batch=2) == Pruned(events=5)
    assert len(left(database, SessionEvent)) == 1


def add_key(database: Database, session: AgentSession, at: datetime) -> None:
    with database.begin() as db:
        values = {"key": session.id, "body_hash": "h", "session_id": session.id, "created_at": at}
        db.add(IdempotencyKey(agent_key=session.agent_key, **values))


def test_keys_go_after_their_24_hours_whatever_the_limits(database: Database, agent: Agent) -> None:
    session = add_session(database, agent)
    for _ in range(3):
        add_key(database, ended(database, agent, NOW - DAY), NOW - DAY - HOUR)
    add_key(database, session, NOW - DAY + HOUR)
    assert prune(database, Retention(0, 0), batch=2) == Pruned(keys=3)
    with database.read() as db:
        assert list(db.scalars(select(IdempotencyKey.session_id))) == [session.id]


def test_what_a_key_has_to_answer_stays_as_long_as_the_key(
    database: Database, agent: Agent
) -> None:
    asked = ended(database, agent, NOW - 3 * HOUR)
    add_key(database, asked, NOW - 3 * HOUR)
    ended(database, agent, NOW - 2 * HOUR)
    assert prune(database, Retention(0, 1)) == Pruned()
    assert prune(database, Retention(0, 1), now=NOW + DAY) == Pruned(sessions=1, keys=1)
    assert asked.id not in left(database)


def test_no_transaction_removes_more_than_a_batch(database: Database, agent: Agent) -> None:
    for n in range(5):
        session = ran(database, agent, OLD - n * HOUR)
        line = {"session_id": session.id, "type": "t", "data": {}, "created_at": OLD}
        with database.begin() as db:
            db.add_all(SessionEvent(**line) for _ in range(10))
    batches = list(Pruning(database, KEEP_90_DAYS, batch=7, sessions=3).run(NOW))
    sizes = [one.sessions + one.attempts + one.log_lines for one in batches]
    assert max(sizes) <= 7
    assert total(batches) == Pruned(sessions=5, attempts=5, log_lines=60)


def test_nothing_is_locked_while_the_caller_rests(database: Database, agent: Agent) -> None:
    for n in range(4):
        ran(database, agent, OLD - n * HOUR)
    for _ in Pruning(database, KEEP_90_DAYS, batch=2, sessions=1).run(NOW):
        with database.begin() as db:
            db.execute(text("UPDATE sessions SET priority_rank = priority_rank"))
    assert left(database) == set()


def test_two_that_prune_at_once_do_no_harm(database: Database, agent: Agent) -> None:
    for n in range(9):
        ran(database, agent, OLD - n * HOUR)
    pruners = [Pruning(database, KEEP_90_DAYS, batch=2, sessions=2).run(NOW) for _ in range(2)]
    removed = Pruned()
    while pruners:
        for pruner in list(pruners):
            if (batch := next(pruner, None)) is None:
                pruners.remove(pruner)
            else:
                removed += batch
    assert removed == Pruned(sessions=9, attempts=9, log_lines=18)


# SQLite has one writer, which all others wait for.
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_somebody_else_has_locked_is_left(database: Database, agent: Agent) -> None:
    locked, free = ran(database, agent, OLD), ran(database, agent, OLD)
    with database.begin() as db:
        db.get_one(AgentSession, locked.id, with_for_update=True)
        assert total(Pruning(database, KEEP_90_DAYS).run(NOW)).sessions == 1
    assert left(database) == {locked.id}
    assert total(Pruning(database, KEEP_90_DAYS).run(NOW)).sessions == 1
    assert free.id not in left(database)


def test_a_log_that_grows_meanwhile_keeps_its_session_until_the_next_time(
    database: Database, agent: Agent
) -> None:
    session = ran(database, agent, OLD)
    line = {"session_id": session.id, "type": "t", "data": {}, "created_at": NOW}
    pruner = Pruning(database, KEEP_90_DAYS).run(NOW)
    assert next(pruner) == Pruned(attempts=1, log_lines=2, agent_id=agent.slug)
    with database.begin() as db:
        db.add(SessionEvent(**line))
    assert list(pruner) == []
    assert total(Pruning(database, KEEP_90_DAYS).run(NOW)) == Pruned(sessions=1, log_lines=1)


def test_a_ghost_whose_session_is_pruned_changes_nothing(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, queued_at=OLD)
    ghost, _ = claim(database, session.id, attempt=1, worker="ghost", now=OLD)
    with database.begin() as db:
        found = db.get_one(AgentSession, session.id)
        found.status, found.finished_at = SessionStatus.FAILED, OLD
    assert prune(database, KEEP_90_DAYS).sessions == 1
    assert ghost is not None
    assert finish(database, ghost, Outcome(AttemptEnd.RETURNED), now=NOW) is None
    assert left(database) == left(database, SessionEvent) == set()


def test_a_dry_run_only_reads(database: Database, agent: Agent, statements: list[str]) -> None:
    ran(database, agent, OLD)
    statements.clear()
    survey = list(Pruning(database, KEEP_90_DAYS).survey(NOW))
    assert total(survey) == Pruned(sessions=1, attempts=1, log_lines=2)
    assert not [each for each in statements if each.startswith(("DELETE", "UPDATE", "BEGIN IMM"))]
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(AgentSession)) == 1
