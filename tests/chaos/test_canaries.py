"""Stock RQ and rq-scheduler must fail what NeonHub passes, or the judge sees nothing."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rq.command import send_stop_job_command
from rq_scheduler import Scheduler
from sqlalchemy import select

from neonhub.domain.occurrences import next_tick
from neonhub.domain.schedule import Recurrence
from neonhub.models import AgentSession
from tests.chaos.canaries import Stock
from tests.chaos.stock_job import JOB
from tests.e2e.running import all_gone
from tests.factories import add_agent, add_fleet, add_schedule
from tests.steps import decide_due
from tests.waiting import wait_until

PROMISED_SECONDS = 20
"""NeonHub has started again by then what a killed worker had."""

NIGHT_BEGINS = datetime(2027, 3, 14, 5, tzinfo=UTC)
"""Midnight in New York; two hours later its clocks go from 02:00 to 03:00."""

NIGHT_ENDS = NIGHT_BEGINS + timedelta(hours=4)
LEFT_OUT = "30 2 * * *"


@pytest.fixture
def stock() -> Iterator[Stock]:
    """A server for stock programs."""
    with Stock() as stock:
        yield stock


def test_a_killed_worker_loses_its_job(stock: Stock) -> None:
    """NeonHub passes it: cells `kill-worker-running` and `kill-pool-running`."""
    worker = stock.start("rq", "worker", "--url", stock.url)
    lost = stock.enqueue("lost", seconds=60)
    wait_until(lambda: stock.noted(lost))
    stock.kill(worker)
    stock.start("rq", "worker", "--url", stock.url)
    after = stock.enqueue("after")

    judged = stock.judged(seconds=PROMISED_SECONDS)

    assert judged[0] == f"2: {lost} is RUNNING (None)"
    assert all(lost in line for line in judged), judged  # the other worker did its own
    assert (stock.noted(lost), stock.noted(after, "end")) == (1, 1)


def test_a_scheduler_that_was_frozen_enqueues_what_another_has(stock: Stock) -> None:
    """NeonHub passes it: cells `freeze-scheduler-idle` and `scheduler.claimed-stall`."""
    frozen = stock.start("rqscheduler", "--interval", "1", "--url", stock.proxy_url)
    wait_until(lambda: stock.redis.keys("rq:scheduler_instance:*"))
    stock.proxy.inject("delay", seconds=60)  # so that it is met in the middle of a look
    ticks = [_due_now(stock, f"due-{number}") for number in range(5)]
    wait_until(lambda: len(stock.queue) > 0)
    frozen.suspend()
    stock.start("rqscheduler", "--interval", "1", "--url", stock.url)
    wait_until(lambda: not _is_any_due(stock), seconds=20)  # the lock has expired
    stock.proxy.inject("delay", seconds=0)
    frozen.resume()
    wait_until(lambda: len(stock.queue) >= 2 * len(ticks) - 1)  # the first may be done with
    stock.work_off()

    judged = stock.judged()

    doubled = [tick for tick in ticks if f"5: {tick} started 2 times in 1 attempts" in judged]
    assert len(doubled) >= len(ticks) - 1, judged


def test_a_stop_that_is_sent_twice_ends_a_whole_pool(stock: Stock) -> None:
    """The second stop meets the worker while the job's own clean-up runs.

    NeonHub passes it: `test_a_running_session_is_asked_to_stop_and_asking_again_is_harmless`.
    """
    pool = stock.start("rq", "worker-pool", "--num-workers", "5", "--url", stock.url)
    running = [stock.enqueue(f"running-{number}", seconds=60) for number in range(5)]
    wait_until(lambda: all(stock.noted(each) for each in running), seconds=20)
    waiting = stock.enqueue("waiting")
    stock.processes_of(pool)  # the agents outlive the pool
    workers = [pool, *pool.children()]
    send_stop_job_command(stock.redis, running[0])
    wait_until(lambda: stock.noted(running[0], "stopping"))
    send_stop_job_command(stock.redis, running[0])
    wait_until(lambda: all_gone(workers))

    judged = stock.judged()  # nobody is left to wait for

    assert len(workers) == 6
    assert f"2: {waiting} is QUEUED (None)" in judged
    assert {f"2: {each} is RUNNING (None)" for each in running} <= set(judged)


def test_a_time_that_the_spring_change_leaves_out_fires_all_the_time(stock: Stock) -> None:
    job_id, config = stock.ask("spring", seconds=0)
    night = (LEFT_OUT, NIGHT_BEGINS.isoformat(), NIGHT_ENDS.isoformat(), json.dumps(config))
    clock = stock.start(
        *("python", "-m", "tests.chaos.injected_clock", stock.url, job_id, *night),
        env={"TZ": "EST5EDT,M3.2.0,M11.1.0"},  # New York, without the need for its file
    )
    assert clock.wait(20) == 0, stock.logged
    stock.work_off()

    assert stock.judged() == [f"5: {job_id} started 31 times in 1 attempts"]
    assert _decided_by_neonhub(stock) == [NIGHT_BEGINS + timedelta(hours=2)]


def _due_now(stock: Stock, lane: str) -> str:
    """Schedule a job that has one tick, now; its id."""
    job_id, config = stock.ask(lane, seconds=0)
    scheduler = Scheduler(connection=stock.redis)
    scheduler.schedule(datetime.now(UTC), JOB, args=[config], id=job_id, interval=3600)
    return job_id


def _is_any_due(stock: Stock) -> bool:
    return bool(stock.redis.zcount(Scheduler.scheduled_jobs_key, 0, time.time()))


def _decided_by_neonhub(stock: Stock) -> list[datetime | None]:
    """The ticks that NeonHub decides in the same night, looking as often."""
    when = Recurrence(cron_expression=LEFT_OUT, timezone="America/New_York")
    add_fleet(stock.database)
    schedule = add_schedule(
        stock.database,
        add_agent(stock.database),
        cron_expression=when.cron_expression,
        timezone=when.timezone,
        interval=None,
        interval_seconds=None,
        anchor_at=None,
        next_tick_at=next_tick(when, NIGHT_BEGINS),
    )
    for minute in range((NIGHT_ENDS - NIGHT_BEGINS) // timedelta(minutes=1)):
        decide_due(stock.database, stock.redis, NIGHT_BEGINS + timedelta(minutes=minute))
    with stock.database.read() as db:
        query = select(AgentSession.tick_at).where(AgentSession.schedule_id == schedule.id)
        return list(db.scalars(query))
