"""Each due tick gets exactly one session row, decided for a whole batch at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from neonhub.database import Database
from neonhub.domain.states import HoldReason, Priority, Reason, SessionStatus, Trigger
from neonhub.execution.outbox import Outbox
from neonhub.models import Agent, AgentSession, Fleet, Schedule
from neonhub.redis.queues import TimerMove
from neonhub.scheduling.decide import PART, SET_ASIDE, Decided, decide_ticks
from tests.factories import NOW, add_schedule, add_session, reload

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DUE = {"next_tick_at": NOW}
CLAIMED = 7.5


def run(database: Database, *schedules: Schedule, now: datetime = NOW) -> Decided:
    with database.begin() as db:
        return decide_ticks(db, {schedule.id: CLAIMED for schedule in schedules}, now)


def moved(schedule: Schedule, at: datetime | None) -> list[TimerMove]:
    return [TimerMove(f"tick:{schedule.id}", CLAIMED, at.timestamp() if at else None)]


def sessions(database: Database) -> list[AgentSession]:
    with database.read() as db:
        return list(db.scalars(select(AgentSession).order_by(AgentSession.tick_at)))


def stored(database: Database, schedule: Schedule) -> Schedule:
    with database.read() as db:
        return db.get_one(Schedule, schedule.id)


def test_a_due_tick_becomes_a_queued_session(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE, priority=Priority.HIGH, input={"a": [1]})
    decided = run(database, schedule, now=NOW + SECOND)
    (session,) = sessions(database)
    assert (session.status, session.trigger) == (SessionStatus.QUEUED, Trigger.SCHEDULE)
    assert (session.tick_at, session.scheduled_for) == (NOW, NOW)
    assert (session.queued_at, session.pushed_at, session.pushes) == (NOW + SECOND,) * 2 + (1,)
    assert (session.agent_id, session.input, session.max_retries) == (agent.slug, {"a": [1]}, 3)
    assert [(job.id, job.queue) for job in decided.outbox.jobs] == [(f"{session.id}-1-1", "high")]


def test_the_schedule_moves_on_from_the_planned_time(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE)
    decided = run(database, schedule, now=NOW + 3 * SECOND)
    after = stored(database, schedule)
    assert after.next_tick_at == after.next_run_at == NOW + MINUTE
    assert decided.outbox.moves == moved(schedule, NOW + MINUTE)
    assert after.run_count == 1


def test_a_tick_is_decided_once(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE)
    run(database, schedule)
    again = run(database, schedule)
    assert (again.fired, again.outbox.jobs) == (0, [])
    assert again.outbox.moves == moved(schedule, NOW + MINUTE)
    assert len(sessions(database)) == 1


def test_a_tick_that_has_its_row_already_is_not_handed_over_again(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent, **DUE, overlap="ALLOW")
    run(database, schedule)
    with database.begin() as db:
        db.execute(update(Schedule).values(next_tick_at=NOW, next_run_at=NOW))
    assert run(database, schedule).outbox.jobs == []
    assert len(sessions(database)) == 1
    assert stored(database, schedule).next_tick_at == NOW + MINUTE


@pytest.mark.parametrize(
    "values",
    [{"enabled": False, "next_tick_at": None}, {"deleted_at": NOW, "next_tick_at": None}],
)
def test_what_is_off_has_no_timer_any_more(
    database: Database, agent: Agent, values: dict[str, Any]
) -> None:
    schedule = add_schedule(database, agent, **values)
    assert run(database, schedule).outbox.moves == moved(schedule, None)
    assert sessions(database) == []


def test_an_edit_made_meanwhile_wins(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, next_tick_at=NOW + MINUTE)
    assert run(database, schedule).outbox.moves == moved(schedule, NOW + MINUTE)
    assert sessions(database) == []


def test_a_tick_is_skipped_while_an_earlier_session_is_active(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent, **DUE)
    add_session(database, agent, schedule_id=schedule.id, status=SessionStatus.RUNNING)
    decided = run(database, schedule)
    (skipped,) = (s for s in sessions(database) if s.trigger == Trigger.SCHEDULE)
    assert (skipped.status, skipped.reason) == (SessionStatus.SKIPPED, Reason.OVERLAP)
    assert skipped.queued_at == skipped.finished_at == NOW
    assert (decided.fired, decided.outbox.jobs, skipped.pushes) == (0, [], 0)


def test_sessions_of_others_do_not_count(database: Database, agent: Agent) -> None:
    mine, other = (add_schedule(database, agent, name=name, **DUE) for name in ("mine", "other"))
    add_session(database, agent, schedule_id=other.id, status=SessionStatus.RUNNING)
    add_session(database, agent, status=SessionStatus.RUNNING)
    held = {"trigger": Trigger.BACKFILL, "hold_reason": HoldReason.BACKFILL}
    add_session(database, agent, schedule_id=mine.id, **held)
    assert run(database, mine).fired == 1


def test_a_session_that_must_wait_is_not_handed_over(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE, overlap="QUEUE_ONE")
    add_session(database, agent, schedule_id=schedule.id, status=SessionStatus.RUNNING)
    decided = run(database, schedule)
    held = next(s for s in sessions(database) if s.tick_at)
    assert (held.hold_reason, held.pushes, held.pushed_at) == (HoldReason.OVERLAP, 0, None)
    assert (decided.fired, decided.outbox.jobs) == (1, [])


def test_a_waiting_session_is_replaced_and_the_new_one_starts(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent, **DUE, overlap="REPLACE")
    old = add_session(database, agent, schedule_id=schedule.id)
    decided = run(database, schedule)
    new = next(s for s in sessions(database) if s.id != old.id)
    replaced = reload(database, old)
    assert (replaced.status, replaced.reason) == (SessionStatus.STOPPED, Reason.REPLACED)
    assert (new.status, new.hold_reason) == (SessionStatus.QUEUED, None)
    assert [job.session_id for job in decided.outbox.jobs] == [new.id]


def test_a_running_session_is_asked_to_end_before_the_new_one_starts(
    database: Database, agent: Agent
) -> None:
    schedule = add_schedule(database, agent, **DUE, overlap="REPLACE")
    old = add_session(database, agent, schedule_id=schedule.id, status=SessionStatus.RUNNING)
    decided = run(database, schedule)
    new = next(s for s in sessions(database) if s.id != old.id)
    assert reload(database, old).stop_requested_at == NOW
    assert (new.hold_reason, decided.outbox.jobs) == (HoldReason.OVERLAP, [])


def test_missed_ticks_share_one_row(database: Database, agent: Agent) -> None:
    since = NOW - 5 * MINUTE
    schedule = add_schedule(database, agent, next_tick_at=since, anchor_at=since)
    run(database, schedule)
    missed, fired = sessions(database)
    assert (missed.status, missed.missed_count) == (SessionStatus.MISSED, 5)
    assert (missed.missed_from, missed.tick_at) == (since, NOW - MINUTE)
    assert (fired.status, fired.tick_at) == (SessionStatus.QUEUED, NOW)


@pytest.mark.parametrize("whose", ["schedule", "fleet"])
def test_a_paused_tick_is_skipped(database: Database, agent: Agent, whose: str) -> None:
    schedule = add_schedule(database, agent, **DUE)
    with database.begin() as db:
        db.execute(update(Schedule if whose == "schedule" else Fleet).values(paused_at=NOW))
    run(database, schedule)
    (skipped,) = sessions(database)
    assert (skipped.status, skipped.reason) == (SessionStatus.SKIPPED, Reason.PAUSED)
    assert stored(database, schedule).next_tick_at == NOW + MINUTE


def test_a_tick_a_person_skipped_is_skipped_once(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE, skip_next=True)
    run(database, schedule)
    assert not stored(database, schedule).skip_next
    assert run(database, schedule, now=NOW + MINUTE).fired == 1


def test_jitter_moves_the_run_but_not_the_tick(database: Database, agent: Agent) -> None:
    schedule = add_schedule(database, agent, **DUE, jitter_seconds=30)
    run(database, schedule, now=NOW + 31 * SECOND)
    (session,) = sessions(database)
    after = stored(database, schedule)
    assert session.tick_at == NOW and after.next_tick_at == NOW + MINUTE
    assert session.scheduled_for is not None and after.next_run_at is not None
    assert session.scheduled_for - NOW == after.next_run_at - after.next_tick_at > timedelta(0)


def test_one_bad_schedule_spoils_no_other(database: Database, agent: Agent) -> None:
    bad, good = (add_schedule(database, agent, name=name, **DUE) for name in ("bad", "good"))
    with database.begin() as db:
        broken = update(Schedule).where(Schedule.id == bad.id)
        db.execute(broken.values(interval_seconds=None, cron_expression="nonsense"))
    decided = run(database, bad, good)
    assert decided.set_aside == {bad.id}
    assert moved(bad, NOW + SET_ASIDE)[0] in decided.outbox.moves
    assert [session.schedule_id for session in sessions(database)] == [good.id]
    assert stored(database, bad).next_tick_at == NOW


def test_the_most_urgent_are_handed_over_first(database: Database, agent: Agent) -> None:
    batch = [
        add_schedule(database, agent, name=priority, priority=priority, **DUE)
        for priority in reversed(Priority)
    ]
    jobs = run(database, *batch).outbox.jobs
    assert [job.queue for job in jobs] == ["critical", "high", "normal", "low"]


def test_firings_are_counted(database: Database, agent: Agent) -> None:
    batch = [add_schedule(database, agent, name=str(n), **DUE) for n in range(3)]
    run(database, *batch)
    run(database, *batch, now=NOW + MINUTE)
    with database.read() as db:
        assert db.scalars(select(Fleet.fired_total)).one() == 3


def test_the_timer_of_an_unknown_id_goes(database: Database, agent: Agent) -> None:
    with database.begin() as db:
        decided = decide_ticks(db, {"unknown": None}, NOW)
    assert decided == Decided(Outbox(moves=[TimerMove("tick:unknown", None, None)]))


def test_two_thousand_due_are_decided_by_a_few_statements(
    database: Database, agent: Agent, statements: list[str]
) -> None:
    rows = [_row(agent, n) for n in range(2000)]
    with database.begin() as db:
        db.add_all(rows)
    statements.clear()
    assert run(database, *rows).fired == 2000
    assert len(statements) <= 6 + 2 * (2000 // PART + 2)  # with the small parts before


def _row(agent: Agent, n: int) -> Schedule:
    return Schedule(
        id=f"{n:032d}",
        agent_key=agent.key,
        name=str(n),
        enabled=True,
        cron_expression="* * * * *",
        timezone="Europe/Berlin",
        priority=Priority.NORMAL,
        priority_rank=2,
        input={},
        max_retries=3,
        timeout_seconds=600,
        jitter_seconds=0,
        overlap="SKIP",
        catch_up="LATEST",
        catch_up_window_seconds=3600,
        next_tick_at=NOW,
        next_run_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
