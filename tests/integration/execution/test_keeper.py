"""Real agents in real processes: results, failures, timeouts, stops, deaths."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from neonhub.agents import AgentManager
from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.execution import watch
from neonhub.execution.keeper import Keeper
from neonhub.execution.session_manager import SessionManager
from neonhub.models import AgentSession, Attempt, Fleet, SessionEvent
from neonhub.redis.keys import EVENTS_STREAM
from tests.factories import add_agent, add_fleet, add_session, reload


class Bench:
    """A keeper in a forked process, as a worker would run it, and the means to watch it."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.database = database
        self.redis = redis
        self.agents = AgentManager(["tests.agents_for_tests"])
        self.manager = SessionManager(database, redis)
        self.pids: list[int] = []

    def session(self, kind: str, config: dict[str, Any], **values: Any) -> AgentSession:
        agent = add_agent(self.database, kind=kind, **config)
        return add_session(self.database, agent, **values)

    def start(self, session: AgentSession, **hooks: Any) -> int:
        self.database.close()
        pid = os.fork()
        if pid == 0:
            try:
                self.database.forget_connections()
                self.redis.connection_pool.reset()
                workers = ["test-worker"]
                with Keeper(self.database, self.redis, self.agents, workers, **hooks) as keeper:
                    keeper.run_session(session.id, session.attempt)
                os._exit(0)
            finally:
                os._exit(1)
        self.pids.append(pid)
        return pid

    def run(self, kind: str, config: dict[str, Any] | None = None, **values: Any) -> AgentSession:
        session = self.session(kind, config or {}, **values)
        self.finish(self.start(session))
        return reload(self.database, session)

    def finish(self, pid: int) -> None:
        assert os.waitpid(pid, 0)[1] == 0
        self.pids.remove(pid)

    def wait(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 60
        while not (value := condition()):
            assert time.monotonic() < deadline, "it never came true"
            threading.Event().wait(0.02)
        return value

    def is_running(self, session: AgentSession) -> bool:
        return reload(self.database, session).status == SessionStatus.RUNNING

    def agent_pid(self, keeper_pid: int) -> int:
        guard = self.wait(lambda: psutil.Process(keeper_pid).children())[0]
        return int(self.wait(guard.children)[0].pid)


@pytest.fixture
def bench(database: Database, redis_connection: Redis) -> Iterator[Bench]:
    add_fleet(database, stop_grace_ms=300, lease_ms=3000, backoff_base_ms=1000)
    bench = Bench(database, redis_connection)
    yield bench
    for pid in bench.pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def events(bench: Bench) -> list[str]:
    with bench.database.read() as db:
        rows = db.query(SessionEvent).order_by(SessionEvent.id).all()
        return [row.event or row.type for row in rows]


def test_a_result_is_kept(bench: Bench) -> None:
    ended = bench.run("echo", {"a": 1}, input={"b": 2})
    assert (ended.status, ended.error) == (SessionStatus.COMPLETED, None)
    assert ended.result == {"a": 1, "b": 2}
    assert events(bench) == ["agent:started", "agent:completed"]


def test_progress_is_published_and_kept(bench: Bench) -> None:
    ended = bench.run("slow", {"seconds": 0.1, "steps": 4})
    assert (ended.status, ended.progress) == (SessionStatus.COMPLETED, 100)
    entries: Any = bench.redis.xrange(EVENTS_STREAM)
    told = [fields for _, fields in entries if b"agent:progress" in b"".join(fields.values())]
    assert len(told) >= 4


def test_an_exception_is_kept_with_its_traceback(bench: Bench) -> None:
    ended = bench.run("raiser")
    assert (ended.status, ended.reason) == (SessionStatus.RETRYING, "error")
    assert ended.error is not None
    assert "raise" in ended.error["traceback"] and ended.error["message"]


def test_a_fatal_error_is_not_retried(bench: Bench) -> None:
    ended = bench.run("fatal")
    assert (ended.status, ended.error and ended.error["type"]) == ("FAILED", "NonRetryableError")


def test_an_agent_whose_process_dies_has_failed(bench: Bench) -> None:
    ended = bench.run("crasher", max_retries=0)
    assert (ended.status, ended.reason) == (SessionStatus.FAILED, "error")
    assert ended.error is not None and "status 3" in ended.error["message"]


def test_an_agent_that_is_killed_has_failed_in_words(bench: Bench) -> None:
    session = bench.session("slow", {"seconds": 60, "steps": 600}, max_retries=0)
    keeper = bench.start(session)
    bench.wait(lambda: bench.redis.xlen(EVENTS_STREAM) > 1)  # it tells of its progress
    os.kill(bench.agent_pid(keeper), signal.SIGKILL)
    bench.finish(keeper)
    error = reload(bench.database, session).error
    assert error is not None and "SIGKILL" in error["message"]


def test_an_unknown_kind_fails_at_once_with_its_reason(bench: Bench) -> None:
    ended = bench.run("gone")
    assert ended.status == SessionStatus.FAILED
    assert ended.error is not None and "gone" in ended.error["message"]


def test_a_result_that_is_no_json_fails(bench: Bench) -> None:
    ended = bench.run("unserialisable", max_retries=0)
    assert ended.status == SessionStatus.FAILED


def test_a_timeout_ends_even_an_agent_that_ignores_everything(bench: Bench) -> None:
    ended = bench.run("stubborn", timeout_seconds=1, max_retries=0)
    assert (ended.status, ended.reason) == (SessionStatus.FAILED, "timeout")
    assert ended.error is not None and "1 second" in ended.error["message"]


def test_a_stop_is_obeyed_by_an_agent_that_looks(bench: Bench) -> None:
    session = bench.session("slow", {"seconds": 60, "steps": 6000})
    keeper = bench.start(session)
    bench.wait(lambda: bench.is_running(session))
    bench.manager.stop(session.id)
    bench.finish(keeper)
    assert reload(bench.database, session).status == SessionStatus.STOPPED


def test_a_stop_kills_an_agent_that_does_not_look(bench: Bench) -> None:
    session = bench.session("stubborn", {})
    keeper = bench.start(session)
    bench.wait(lambda: bench.is_running(session))
    bench.manager.stop(session.id)
    bench.finish(keeper)
    assert reload(bench.database, session).status == SessionStatus.STOPPED


def test_a_stop_reaches_the_agent_through_the_database_alone(bench: Bench) -> None:
    session = bench.session("stubborn", {})
    keeper = bench.start(session)
    bench.wait(lambda: bench.is_running(session))
    with bench.database.begin() as db:
        db.get_one(AgentSession, session.id).stop_requested_at = utcnow()
    bench.finish(keeper)
    assert reload(bench.database, session).status == SessionStatus.STOPPED


def test_what_the_agent_started_dies_with_it(bench: Bench) -> None:
    session = bench.session("forker", {})
    keeper = bench.start(session)
    grown = bench.wait(lambda: psutil.Process(keeper).children(recursive=True)[2:])
    bench.manager.stop(session.id)
    bench.finish(keeper)
    assert not any(process.is_running() for process in grown)


def test_the_agent_dies_with_its_keeper(bench: Bench) -> None:
    keeper = bench.start(bench.session("stubborn", {}))
    agent = psutil.Process(bench.agent_pid(keeper))
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    bench.pids.remove(keeper)
    bench.wait(lambda: not agent.is_running())


@pytest.mark.parametrize("kind", ["starter", "forker"])
def test_what_the_agent_started_dies_with_a_killed_keeper(bench: Bench, kind: str) -> None:
    keeper = bench.start(bench.session(kind, {}))
    agent = psutil.Process(bench.agent_pid(keeper))
    started = bench.wait(lambda: agent.children(recursive=True))
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    bench.pids.remove(keeper)
    bench.wait(lambda: not any(process.is_running() for process in started))


def lease_of(bench: Bench, session: AgentSession) -> Any:
    """Until when it is leased; None before it is claimed."""
    with bench.database.read() as db:
        attempt = db.get(Attempt, (session.id, 1))
        return attempt and attempt.lease_until


def test_the_lease_is_renewed_while_the_agent_runs(bench: Bench) -> None:
    session = bench.session("slow", {"seconds": 60, "steps": 6000})
    bench.start(session)
    bench.wait(lambda: bench.is_running(session))

    first = lease_of(bench, session)
    assert first is not None
    assert bench.wait(lambda: lease_of(bench, session) > first)


def test_a_keeper_that_was_given_up_kills_its_agent_and_writes_nothing(bench: Bench) -> None:
    session = bench.session("stubborn", {})
    keeper = bench.start(session)
    bench.wait(lambda: bench.is_running(session))
    with bench.database.begin() as db:
        db.get_one(Attempt, (session.id, 1)).token = "another's"
    bench.finish(keeper)
    assert reload(bench.database, session).status == SessionStatus.RUNNING


def set_lease(bench: Bench, milliseconds: int) -> None:
    with bench.database.begin() as db:
        db.get_one(Fleet, 1).lease_ms = milliseconds


def test_a_frozen_keeper_s_agent_is_ended_before_another_begins(bench: Bench) -> None:
    set_lease(bench, 1000)
    session = bench.session("stubborn", {})
    keeper = bench.start(session)
    agent = psutil.Process(bench.agent_pid(keeper))
    bench.wait(lambda: bench.redis.xlen(EVENTS_STREAM) > 1)  # it tells of its progress
    os.kill(keeper, signal.SIGSTOP)
    bench.wait(lambda: not agent.is_running())
    os.kill(keeper, signal.SIGCONT)
    bench.finish(keeper)
    waiting = reload(bench.database, session)
    assert (waiting.status, waiting.attempt, waiting.failures) == (SessionStatus.QUEUED, 2, 0)


def test_no_agent_begins_once_a_slow_claim_was_given_up(bench: Bench, tmp_path: Path) -> None:
    set_lease(bench, 600)
    trace = tmp_path / "trace"
    session = bench.session("recorder", {"path": str(trace)})
    looks = count()

    def clock() -> datetime:
        if next(looks) == 0:
            time.sleep(0.3)  # the claim takes half of its lease
        else:
            with bench.database.begin() as db:
                db.get_one(Attempt, (session.id, 1)).token = "another's"
        return utcnow()

    bench.finish(bench.start(session, clock=clock))
    assert not trace.exists()


def test_a_worker_that_shuts_down_lets_a_short_agent_finish(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its start counts, too, and may take long where much else is at work.
    monkeypatch.setattr(watch, "SHUTDOWN_FINISH_SECONDS", 30.0)
    session = bench.session("slow", {"seconds": 0.5, "steps": 5})
    bench.finish(bench.start(session, is_shutting_down=lambda: True))
    assert reload(bench.database, session).status == SessionStatus.COMPLETED


def test_a_worker_that_shuts_down_hands_a_long_one_back(bench: Bench) -> None:
    session = bench.session("slow", {"seconds": 60, "steps": 6000})
    bench.finish(bench.start(session, is_shutting_down=lambda: True))
    waiting = reload(bench.database, session)
    assert (waiting.status, waiting.attempt, waiting.failures) == (SessionStatus.QUEUED, 2, 0)


def test_copies_of_one_job_start_one_agent(bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    session = bench.session("recorder", {"path": str(trace)})
    for pid in [bench.start(session) for _ in range(5)]:
        bench.finish(pid)
    assert [line.split()[-1] for line in trace.read_text().splitlines()] == ["start", "end"]


def test_an_agents_log_is_kept_in_order(bench: Bench) -> None:
    ended = bench.run("chatty", {"lines": 300})
    with bench.database.read() as db:
        rows = db.query(SessionEvent).filter_by(session_id=ended.id, event=None)
        assert [row.data["n"] for row in rows.order_by(SessionEvent.id)] == list(range(300))


def test_a_log_too_long_ends_with_a_line_that_says_so(bench: Bench) -> None:
    with bench.database.begin() as db:
        db.get_one(Fleet, 1).max_log_lines = 3
    bench.run("chatty", {"messages": 1, "lines": 100})
    assert events(bench) == ["agent:started", "line", "line", "line", "log_full", "agent:completed"]


def test_a_line_too_long_is_cut(bench: Bench) -> None:
    with bench.database.begin() as db:
        db.get_one(Fleet, 1).max_log_line_bytes = 256
    bench.run("talker", {"message": "é" * 10_000, "data": {"a": "x" * 10_000}})
    with bench.database.read() as db:
        line = db.query(SessionEvent).where(SessionEvent.type == "talk").one()
    assert (len(line.message.encode()), line.message[-1]) == (255, "…")
    assert line.data == {"dropped": "10009 bytes: too much for NEONHUB_MAX_LOG_LINE_BYTES"}


def test_a_result_too_large_fails_at_once_with_its_size(bench: Bench) -> None:
    with bench.database.begin() as db:
        db.get_one(Fleet, 1).max_result_bytes = 100
    session = bench.run("echo", {"text": "x" * 100})
    assert (session.status, session.failures, session.result) == (SessionStatus.FAILED, 1, None)
    assert session.error is not None
    assert session.error["type"] == "ResultTooLarge"
    assert "111 bytes" in session.error["message"]


def test_an_agent_that_takes_too_much_memory_fails_alone(bench: Bench) -> None:
    with bench.database.begin() as db:
        db.get_one(Fleet, 1).max_memory_bytes = 1024**3
    session = bench.run("glutton", max_retries=0)
    assert session.status == SessionStatus.FAILED
    assert session.error is not None and session.error["type"] == "MemoryError"


def test_a_flood_of_progress_hinders_neither_lease_nor_stop(bench: Bench) -> None:
    set_lease(bench, 1000)
    session = bench.session("chatty", {"messages": 10**9})
    keeper = bench.start(session)
    began = bench.wait(lambda: lease_of(bench, session))
    bench.wait(lambda: lease_of(bench, session) > began + timedelta(seconds=1))
    bench.manager.stop(session.id)
    bench.finish(keeper)
    assert reload(bench.database, session).status == SessionStatus.STOPPED


def test_an_error_no_database_can_hold_as_it_is_still_ends_its_session(bench: Bench) -> None:
    ended = bench.run("fatal", {"message": "a\0b \ud800"})
    assert ended.status == SessionStatus.FAILED
    assert ended.error is not None
    assert ended.error["message"] == "a\ufffdb ?"


def test_a_result_of_odd_text_is_kept(bench: Bench) -> None:
    assert bench.run("echo", {"text": "a\0b \ud800"}).result == {"text": "a\0b \ud800"}
