"""The pool as a whole: what it takes, tells, refuses, survives and hands back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from redis import Redis
from rq import Worker

from neonhub.api.status import status
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.domain.states import SchedulerState, SessionStatus
from neonhub.execution import agent_child, agent_process, starts
from neonhub.execution.lifeline import Lifeline
from neonhub.ids import new_id
from neonhub.models import AgentSession, Attempt
from neonhub.redis.queues import Job, hand_over, queued_job_ids
from neonhub.scheduling.heartbeat import Heartbeat
from neonhub.scheduling.timers import Timers
from tests.factories import add_agent, add_fleet, add_session, reload
from tests.integration.workers.pools import SIZE, running_pool
from tests.waiting import wait_until


class Queues:
    """Sessions of one agent, and their jobs."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.database, self.redis = database, redis

    def push(self, kind: str, count: int = 1, **config: Any) -> list[AgentSession]:
        agent = add_agent(self.database, slug=new_id(), kind=kind, **config)
        sessions = [
            add_session(self.database, agent, queued_at=utcnow(), pushes=1) for _ in range(count)
        ]
        hand_over(self.redis, [Job(session.id, 1, 1, "normal") for session in sessions])
        return sessions

    def statuses(self, sessions: list[AgentSession]) -> set[str]:
        return {reload(self.database, session).status for session in sessions}

    def wait_for(self, sessions: list[AgentSession], wanted: SessionStatus) -> None:
        wait_until(lambda: self.statuses(sessions) == {wanted}, seconds=20)


@pytest.fixture
def queues(database: Database, redis_connection: Redis) -> Iterator[Queues]:
    add_fleet(database, lease_ms=2000, stop_grace_ms=300, backoff_base_ms=100)
    yield Queues(database, redis_connection)


def test_a_pool_runs_whatever_is_on_its_queues(queues: Queues, redis_url: str) -> None:
    sessions = queues.push("noop", 20)
    with running_pool(queues.database, redis_url):
        queues.wait_for(sessions, SessionStatus.COMPLETED)
        late = queues.push("echo", 3, a=1)
        queues.wait_for(late, SessionStatus.COMPLETED)
    assert not queues.redis.keys("rq:job:*")


def test_a_pool_runs_as_many_at_once_as_it_has_workers(queues: Queues, redis_url: str) -> None:
    sessions = queues.push("slow", SIZE + 1, seconds=60, steps=6000)
    with running_pool(queues.database, redis_url):
        wait_until(lambda: sum(1 for each in workers(queues) if each["session_id"]) == SIZE)
        assert len(queued_job_ids(queues.redis)) == 1
    assert queues.statuses(sessions) == {SessionStatus.QUEUED}


def test_a_pool_that_ends_hands_its_sessions_back(queues: Queues, redis_url: str) -> None:
    sessions = queues.push("slow", 2, seconds=60, steps=6000)
    with running_pool(queues.database, redis_url) as pid:
        queues.wait_for(sessions, SessionStatus.RUNNING)
        below = psutil.Process(pid).children(recursive=True)
    assert {reload(queues.database, each).attempt for each in sessions} == {2}
    assert not any(process.is_running() for process in below)
    assert not Worker.all(queues.redis)


def test_a_pool_that_is_killed_takes_its_agents_with_it(queues: Queues, redis_url: str) -> None:
    sessions = queues.push("forker", 2)
    with running_pool(queues.database, redis_url) as pid:
        queues.wait_for(sessions, SessionStatus.RUNNING)
        wait_until(lambda: len(psutil.Process(pid).children(recursive=True)) == 6)
        below = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(process.is_running() for process in below))


def test_a_guard_that_is_killed_ends_one_session_only(queues: Queues, redis_url: str) -> None:
    sessions = queues.push("slow", SIZE, seconds=60, steps=600)
    with running_pool(queues.database, redis_url) as pid:
        queues.wait_for(sessions, SessionStatus.RUNNING)
        wait_until(lambda: len(psutil.Process(pid).children(recursive=True)) == 2 * SIZE)
        guards = psutil.Process(pid).children()
        guards[0].kill()
        wait_until(lambda: attempts(queues.database) == SIZE + 1)
        assert [guard.is_running() for guard in guards] == [False, True, True]


def test_workers_are_listed_with_what_they_do(queues: Queues, redis_url: str) -> None:
    (session,) = queues.push("slow", seconds=60, steps=6000)
    with running_pool(queues.database, redis_url):
        queues.wait_for([session], SessionStatus.RUNNING)
        states = ["busy", *["idle"] * (SIZE - 1)]  # told one after the other
        wait_until(lambda: sorted(each["state"] for each in workers(queues)) == states)
        listed = workers(queues)
        assert [each["session_id"] for each in listed if each["state"] == "busy"] == [session.id]


def test_a_pool_survives_an_emptied_redis(queues: Queues, redis_url: str) -> None:
    with running_pool(queues.database, redis_url):
        queues.wait_for(queues.push("noop"), SessionStatus.COMPLETED)
        queues.redis.flushall()
        queues.wait_for(queues.push("noop"), SessionStatus.COMPLETED)


def test_a_pool_survives_the_loss_of_its_connections(queues: Queues, redis_url: str) -> None:
    with running_pool(queues.database, redis_url):
        queues.wait_for(queues.push("noop"), SessionStatus.COMPLETED)
        queues.redis.client_kill_filter(_type="normal", skipme=True)
        queues.wait_for(queues.push("noop"), SessionStatus.COMPLETED)


def test_agents_that_cannot_start_put_the_pool_in_error(
    queues: Queues, redis_url: str, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"

    def live(*args: Any) -> NoReturn:
        if mended.exists():
            agent_child.live(*args)
        os._exit(7)

    def prepare() -> None:
        starts.TRY_AGAIN_SECONDS = 0.1
        vars(agent_process)["live"] = live

    (session,) = queues.push("noop")
    Heartbeat(queues.redis, Timers(queues.redis)).beat(utcnow(), 0.0)
    with running_pool(queues.database, redis_url, prepare=prepare):
        wait_until(lambda: "cannot be started" in (reason(queues) or ""), seconds=60)
        told = reason(queues)
        assert told is not None and "status 7" in told
        assert attempts(queues.database) == starts.FAILURES
        waiting = reload(queues.database, session)
        assert (waiting.status, waiting.failures) == (SessionStatus.QUEUED, 0)
        mended.touch()
        queues.wait_for([session], SessionStatus.COMPLETED)
        wait_until(lambda: "cannot be started" not in (reason(queues) or ""), seconds=60)


def test_a_session_whose_job_was_lost_with_its_pool_runs_in_the_next(
    queues: Queues, redis_url: str
) -> None:
    sessions = queues.push("stubborn", SIZE, seconds=0.2)
    with running_pool(queues.database, redis_url) as pid:
        queues.wait_for(sessions, SessionStatus.RUNNING)
        os.kill(pid, signal.SIGKILL)
    lifeline = Lifeline(queues.database, queues.redis)
    with running_pool(queues.database, redis_url):

        def are_completed() -> bool:
            lifeline.step(utcnow())
            return queues.statuses(sessions) == {SessionStatus.COMPLETED}

        wait_until(are_completed, seconds=20)
    assert {reload(queues.database, each).losses for each in sessions} == {1}


def attempts(database: Database) -> int:
    with database.read() as db:
        return db.query(Attempt).count()


def workers(queues: Queues) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = status(queues.database, queues.redis)["workers"]
    return listed


def reason(queues: Queues) -> str | None:
    now = status(queues.database, queues.redis)
    return now["reason"] if now["state"] is SchedulerState.ERROR else None
