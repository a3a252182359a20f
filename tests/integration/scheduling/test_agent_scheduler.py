"""The scheduler fires each tick once, whatever happens between its steps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError

from neonhub.agents import AgentManager
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.domain.states import Priority, SessionStatus
from neonhub.execution.lifeline import Lifeline
from neonhub.models import Agent, AgentSession, Schedule
from neonhub.redis import keys
from neonhub.redis.connect import connect
from neonhub.redis.queues import queued_job_ids
from neonhub.scheduling import agent_scheduler, firing
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.decide import PART, decide_ticks
from neonhub.scheduling.heartbeat import live_schedulers
from neonhub.scheduling.options import SchedulerOptions
from neonhub.scheduling.timers import VISIBILITY_SECONDS, Timers
from tests.factories import NOW, add_schedule, add_session, reload

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DUE = {"next_tick_at": NOW}
PATIENCE_SECONDS = 20


@pytest.fixture
def scheduler(database: Database, redis_connection: Redis) -> Iterator[AgentScheduler]:
    scheduler = make(database, redis_connection)
    yield scheduler
    scheduler.timers.stop_listening()


def make(database: Database, redis: Redis, **options: Any) -> AgentScheduler:
    chosen = SchedulerOptions(**options)
    return AgentScheduler(database, AgentManager(), chosen, redis=redis)


def sessions(database: Database) -> list[AgentSession]:
    with database.read() as db:
        return list(db.scalars(select(AgentSession).order_by(AgentSession.id)))


def timers(redis: Redis) -> dict[str, float]:
    found: list[Any] = redis.zrange(keys.TIMERS, 0, -1, withscores=True)
    return {member.decode(errors="replace"): at for member, at in found}


@contextmanager
def running(scheduler: AgentScheduler) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    yield thread
    scheduler.stop()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def wait_until(holds: Callable[[], object]) -> None:
    """Look again and again until a condition holds."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("The condition never came to hold.")


def test_a_due_tick_is_decided_and_on_its_queue(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    schedule = add_schedule(database, agent, **DUE)
    assert scheduler.step(NOW) == 1
    (session,) = sessions(database)
    assert queued_job_ids(redis_connection) == {f"{session.id}-1-1"}
    assert timers(redis_connection) == {f"tick:{schedule.id}": (NOW + MINUTE).timestamp()}


def test_before_its_time_nothing_fires(
    database: Database, agent: Agent, scheduler: AgentScheduler
) -> None:
    add_schedule(database, agent, next_tick_at=NOW + SECOND)
    assert scheduler.step(NOW) == 0
    assert scheduler.step(NOW + SECOND) == 1
    assert len(sessions(database)) == 1


def test_a_schedule_that_is_done_leaves_no_timer(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    add_schedule(database, agent, **DUE, interval_seconds=None, run_at=NOW, anchor_at=None)
    scheduler.step(NOW)
    assert len(sessions(database)) == 1
    assert timers(redis_connection) == {}


def test_a_due_retry_goes_on_its_queue(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    values = {"status": SessionStatus.RETRYING, "failures": 1, "next_attempt_at": NOW}
    session = add_session(database, agent, **values)
    scheduler.step(NOW)
    assert reload(database, session).attempt == 2
    assert queued_job_ids(redis_connection) == {f"{session.id}-2-2"}
    assert timers(redis_connection) == {}


def test_a_retry_that_was_put_off_keeps_a_timer(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    values = {"status": SessionStatus.RETRYING, "next_attempt_at": NOW + MINUTE}
    session = add_session(database, agent, **values)
    scheduler.timers.add(f"retry:{session.id}", NOW)
    scheduler.step(NOW)
    assert timers(redis_connection) == {f"retry:{session.id}": (NOW + MINUTE).timestamp()}


def test_timers_that_are_none_are_removed(
    agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    garbage: dict[Any, float] = {"garbage": 1, b"\xff": 2, "tick:": 3, "tick:gone": 4, "retry:x": 5}
    redis_connection.zadd(keys.TIMERS, garbage)
    assert scheduler.step(NOW) == 5
    assert timers(redis_connection) == {}


def test_two_schedulers_side_by_side_fire_each_tick_once(
    database: Database, agent: Agent, redis_connection: Redis, redis_url: str
) -> None:
    for n in range(200):
        add_schedule(database, agent, name=str(n), **DUE)
    with connect(redis_url) as other:
        both = [make(database, redis, claim_limit=30) for redis in (redis_connection, other)]
        threads = [threading.Thread(target=step_until_idle, args=(one,)) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(sessions(database)) == 200
    assert len(queued_job_ids(redis_connection)) == 200


def step_until_idle(scheduler: AgentScheduler) -> None:
    while scheduler.step(NOW):
        continue


def test_a_claim_whose_scheduler_died_is_fired_by_another(
    database: Database, agent: Agent, scheduler: AgentScheduler
) -> None:
    add_schedule(database, agent, **DUE)
    scheduler.timers.add_missing({f"tick:{s.id}": NOW.timestamp() for s in schedules(database)})
    assert len(scheduler.timers.claim(NOW).claims) == 1
    assert scheduler.step(NOW + timedelta(seconds=VISIBILITY_SECONDS)) == 1
    assert len(sessions(database)) == 1


def schedules(database: Database) -> list[Schedule]:
    with database.read() as db:
        return list(db.scalars(select(Schedule)))


def test_a_crash_before_the_hand_over_loses_and_doubles_nothing(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_schedule(database, agent, **DUE)
    with monkeypatch.context() as patch:
        patch.setattr("neonhub.execution.outbox.Outbox.deliver", lambda *_: None)
        scheduler.step(NOW)
    later = NOW + timedelta(seconds=6)
    scheduler.step(later)
    Lifeline(database, redis_connection).step(later)
    (session,) = sessions(database)
    assert queued_job_ids(redis_connection) == {f"{session.id}-1-2"}
    assert list(timers(redis_connection).values()) == [(NOW + MINUTE).timestamp()]


def test_an_edit_made_while_a_claim_is_under_way_wins(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = add_schedule(database, agent, **DUE)
    decided = decide_ticks

    def edit_after(*args: Any, **options: Any) -> Any:
        result = decided(*args, **options)
        scheduler.timers.add(f"tick:{schedule.id}", NOW + 7 * SECOND)
        return result

    monkeypatch.setattr(firing, "decide_ticks", edit_after)
    scheduler.step(NOW)
    assert timers(redis_connection) == {f"tick:{schedule.id}": (NOW + 7 * SECOND).timestamp()}


def test_a_sweep_finds_a_due_tick_whose_timer_was_lost(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    scheduler.step(NOW)
    scheduler.step(NOW)
    first = NOW + 10 * SECOND
    schedule = add_schedule(
        database, agent, interval_seconds=3600.0, anchor_at=first, next_tick_at=first
    )
    redis_connection.zrem(keys.TIMERS, f"tick:{schedule.id}")
    assert scheduler.step(NOW + 20 * SECOND) == 0
    assert scheduler.step(NOW + MINUTE) == 1
    assert len(sessions(database)) == 1


def test_an_emptied_redis_gets_all_timers_back(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    schedule = add_schedule(database, agent, next_tick_at=NOW + MINUTE)
    finish_loading(scheduler)
    redis_connection.flushall()
    finish_loading(scheduler)
    assert timers(redis_connection) == {f"tick:{schedule.id}": (NOW + MINUTE).timestamp()}


def finish_loading(scheduler: AgentScheduler) -> None:
    for _ in range(5):
        scheduler.step(NOW)


def test_a_schedule_that_cannot_be_decided_is_set_aside(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    bad, good = (add_schedule(database, agent, name=name, **DUE) for name in ("bad", "good"))
    with database.begin() as db:
        broken = update(Schedule).where(Schedule.id == bad.id)
        db.execute(broken.values(interval_seconds=None, cron_expression="nonsense"))
    scheduler.step(NOW)
    assert [session.schedule_id for session in sessions(database)] == [good.id]
    assert timers(redis_connection)[f"tick:{bad.id}"] == (NOW + MINUTE).timestamp()


def test_one_row_that_breaks_a_statement_spoils_no_other(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = [add_schedule(database, agent, name=str(n), **DUE) for n in range(7)]
    bad, decided = batch[3].id, decide_ticks

    def refuse(db: Any, ids: dict[str, float | None], now: datetime, **options: Any) -> Any:
        if bad in ids:
            raise ValueError("a value the database refuses")
        return decided(db, ids, now, **options)

    monkeypatch.setattr(firing, "decide_ticks", refuse)
    scheduler.step(NOW)
    assert {session.schedule_id for session in sessions(database)} == {
        schedule.id for schedule in batch if schedule.id != bad
    }
    assert timers(redis_connection)[f"tick:{bad}"] == (NOW + MINUTE).timestamp()


def test_claims_are_given_back_when_the_database_is_away(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = add_schedule(database, agent, **DUE)
    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(firing, "decide_ticks", away)
        scheduler.step(NOW)
    assert timers(redis_connection) == {f"tick:{schedule.id}": NOW.timestamp()}
    assert scheduler.step(NOW) == 1


def away(*_: Any, **__: Any) -> Any:
    raise OperationalError("SELECT", {}, Exception("away"))


def test_two_thousand_due_fire_in_one_step(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    add_many(database, agent, 2000)
    assert scheduler.step(NOW) == 2000
    assert redis_connection.llen("rq:queue:normal") == 2000
    assert jobs(redis_connection) == {f"rq:job:{each.id}-1-1" for each in sessions(database)}
    assert set(timers(redis_connection).values()) == {(NOW + MINUTE).timestamp()}


def add_many(database: Database, agent: Agent, count: int) -> None:
    """Schedules that are due, enough of them for their jobs to be written ahead."""
    add_schedule(database, agent, overlap="ALLOW", **DUE)
    (one,) = schedules(database)
    copied = [c.name for c in Schedule.__table__.columns if c.name not in ("id", "name")]
    with database.begin() as db:
        values = {name: getattr(one, name) for name in copied}
        db.add_all(Schedule(id=f"{n:032d}", name=str(n), **values) for n in range(count - 1))


def jobs(redis: Redis) -> set[str]:
    """The keys of all that are written, pushed or not."""
    found: list[Any] = [*redis.scan_iter("rq:job:*"), *redis.scan_iter("neonhub:batch:*")]
    return {key.decode() for key in found}


def test_ticks_of_many_that_have_their_rows_already_are_not_handed_over_again(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    add_many(database, agent, PART + 1)
    scheduler.step(NOW)
    with database.begin() as db:
        db.execute(update(Schedule).values(next_tick_at=NOW, next_run_at=NOW))
        kept = select(AgentSession.id).limit(5)
        db.execute(delete(AgentSession).where(AgentSession.id.not_in(kept)))
    kept_ids = {session.id for session in sessions(database)}
    redis_connection.flushall()
    scheduler = make(database, redis_connection)
    step_until_idle_at(scheduler, NOW)
    fresh = {session.id for session in sessions(database)} - kept_ids
    assert len(fresh) == PART - 4
    assert queued_job_ids(redis_connection) == {f"{each}-1-1" for each in fresh}
    assert jobs(redis_connection) == {f"rq:job:{each}-1-1" for each in fresh}


def test_a_batch_that_is_not_committed_leaves_no_jobs(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_many(database, agent, PART + 1)
    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr("neonhub.scheduling.decide._Batch._log", away)
        scheduler.step(NOW)
    assert (jobs(redis_connection), sessions(database)) == (set(), [])
    assert scheduler.step(NOW) == PART + 1
    assert redis_connection.llen("rq:queue:normal") == PART + 1


def test_a_flood_of_low_priority_delays_a_critical_one_by_one_batch(
    database: Database, agent: Agent, redis_connection: Redis
) -> None:
    for n in range(20):
        add_schedule(database, agent, name=str(n), priority=Priority.LOW, next_tick_at=NOW)
    critical = add_schedule(
        database, agent, priority=Priority.CRITICAL, next_tick_at=NOW + 9 * SECOND
    )
    scheduler = make(database, redis_connection, claim_limit=4)
    finish_loading_at(scheduler, NOW - MINUTE)
    later = NOW + 10 * SECOND
    assert [scheduler.step(later), scheduler.step(later)] == [4, 4]
    assert critical.id in {session.schedule_id for session in sessions(database)}
    step_until_idle_at(scheduler, later)
    assert len(sessions(database)) == 21


def test_a_batch_that_leaves_nothing_due_has_no_other_hurried(
    database: Database, agent: Agent, redis_connection: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        add_schedule(database, agent, name=str(n), **DUE)
    monkeypatch.setattr("neonhub.scheduling.repair.Repair.hurry", away)
    assert make(database, redis_connection, claim_limit=4).step(NOW) == 4
    with pytest.raises(OperationalError):
        make(database, redis_connection, claim_limit=3).step(NOW + MINUTE)


def finish_loading_at(scheduler: AgentScheduler, now: datetime) -> None:
    for _ in range(8):
        scheduler.step(now)


def step_until_idle_at(scheduler: AgentScheduler, now: datetime) -> None:
    while scheduler.step(now):
        continue


def test_a_nearer_timer_ends_the_sleep(
    database: Database, agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    with running(scheduler):
        wait_until(lambda: live_schedulers(redis_connection))
        schedule = add_schedule(database, agent, next_tick_at=utcnow())
        Timers(redis_connection).add(f"tick:{schedule.id}", utcnow())
        wait_until(lambda: sessions(database))


def test_it_goes_on_when_redis_returns(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed = threading.Event()
    monkeypatch.setattr(agent_scheduler, "MAX_BACKOFF_SECONDS", 0.01)
    claim = scheduler.timers.claim

    def claim_or_fail(*args: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise RedisError("away")
        return claim(*args)

    monkeypatch.setattr(scheduler.timers, "claim", claim_or_fail)
    add_schedule(database, agent, next_tick_at=utcnow())
    with running(scheduler):
        wait_until(lambda: sessions(database))


@pytest.mark.parametrize("error", [away, lambda: 1 / 0], ids=["database", "bug"])
def test_no_error_ends_the_loop(
    agent: Agent,
    scheduler: AgentScheduler,
    monkeypatch: pytest.MonkeyPatch,
    error: Callable[[], Any],
) -> None:
    turns: list[None] = []

    def fail() -> None:
        turns.append(None)
        error()

    monkeypatch.setattr(agent_scheduler, "MAX_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(scheduler, "_turn", fail)
    with running(scheduler):
        wait_until(lambda: len(turns) > 2)


def test_it_tells_why_it_cannot_work_until_it_can(
    database: Database,
    agent: Agent,
    scheduler: AgentScheduler,
    redis_connection: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faults() -> list[str | None]:
        return [each.fault for each in live_schedulers(redis_connection)]

    add_schedule(database, agent, **DUE)
    with monkeypatch.context() as patch:
        patch.setattr(firing, "decide_ticks", away)
        with running(scheduler):
            wait_until(lambda: faults() == ["A scheduler waits for the database: away."])
            patch.undo()
            wait_until(lambda: faults() == [None])


def test_a_load_that_failed_is_begun_again(
    database: Database, agent: Agent, scheduler: AgentScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_schedule(database, agent, **DUE)
    with monkeypatch.context() as patch, pytest.raises(RedisError):
        patch.setattr(scheduler.timers, "add_missing", fail_with_redis)
        scheduler.step(NOW)
    assert scheduler.step(NOW) == 1


def fail_with_redis(*_: Any) -> Any:
    raise RedisError("away")


def test_it_says_that_it_lives_and_that_it_has_ended(
    agent: Agent, scheduler: AgentScheduler, redis_connection: Redis
) -> None:
    with running(scheduler):
        wait_until(lambda: live_schedulers(redis_connection))
    assert live_schedulers(redis_connection) == []


def test_it_schedules_and_reads_as_the_product_names_it(
    database: Database, agent: Agent, scheduler: AgentScheduler
) -> None:
    schedule = scheduler.schedule_agent("reporter", interval="every minute")
    assert scheduler.update_schedule(schedule.id, priority="HIGH").priority == Priority.HIGH
    assert [s.id for s in scheduler.get_scheduled_agents()] == [schedule.id]
    assert schedule.next_run_at is not None
    scheduler.step(schedule.next_run_at)
    (session,) = scheduler.get_execution_history("reporter", limit=5)
    assert (session.schedule_id, session.priority) == (schedule.id, Priority.HIGH)


def test_many_schedulers_and_edits_leave_one_session_a_tick(
    database: Database, agent: Agent, redis_connection: Redis
) -> None:
    schedule = add_schedule(database, agent, **DUE, overlap="ALLOW")
    pair = [make(database, redis_connection) for _ in range(2)]
    for n in range(5):
        for one in pair:
            one.timers.add(f"tick:{schedule.id}", NOW)
            one.step(NOW + n * MINUTE)
    with database.read() as db:
        ticks = db.scalar(select(func.count(AgentSession.tick_at.distinct())))
        assert ticks == db.scalar(select(func.count(AgentSession.id))) == 5
