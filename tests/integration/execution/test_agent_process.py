"""One process for many runs: what it keeps, what it puts back, and what ends it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import psutil
import pytest

from neonhub.agents import AgentManager
from neonhub.domain.endings import AttemptEnd
from neonhub.execution import agent_guard
from neonhub.execution.agent_guard import Guard, Guards
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.agent_traces import Recycling
from neonhub.execution.claims import Claim
from neonhub.process import adopt_orphans, child_pids, is_alive
from tests.waiting import wait_until

CLAIM = Claim(
    session_id="s",
    agent_id="a",
    schedule_id=None,
    attempt=1,
    token="t",
    kind="litterer",
    config={},
    timeout_seconds=60,
    max_retries=0,
    lease_ms=2000,
    stop_grace_ms=500,
    max_memory_bytes=None,
    max_result_bytes=10_000,
    max_log_lines=100,
    max_log_line_bytes=1000,
    max_events_per_second=20,
)


@contextmanager
def warm(max_runs: int = 1000, max_growth_bytes: int | None = None) -> Iterator[AgentProcess]:
    agents = AgentManager(["tests.agents_for_tests"])
    process = AgentProcess(agents, Recycling(max_runs, max_growth_bytes))
    try:
        yield process
    finally:
        process.close()
        adopt_orphans(False)  # the tests' own process is no worker


@pytest.fixture
def process() -> Iterator[AgentProcess]:
    with warm() as process:
        yield process


def end_of(process: AgentProcess) -> dict[str, Any]:
    """The last message of the run, which is seen off; empty if its process died."""
    messages: list[dict[str, Any]] = []

    def has_ended() -> bool:
        messages.extend(process.receive(0.1))
        return process.has_exited() or any(each["kind"] == "end" for each in messages)

    wait_until(has_ended)
    process.end()
    return messages[-1] if messages else {}


def run(process: AgentProcess, leaves: str = "nothing", **changes: Any) -> dict[str, Any]:
    """What the agent found."""
    process.start(replace(CLAIM, config={"leaves": leaves}, **changes))
    end = end_of(process)
    assert end["end"] == AttemptEnd.RETURNED, end
    found: dict[str, Any] = end["result"]
    return found


def test_one_process_serves_many_runs(process: AgentProcess) -> None:
    assert len({run(process)["pid"] for _ in range(20)}) == 1


def test_a_process_serves_so_many_runs_and_no_more() -> None:
    with warm(max_runs=3) as process:
        pids = [run(process)["pid"] for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_what_can_be_put_back_is_put_back(process: AgentProcess) -> None:
    before = run(process, "settings")
    assert run(process) == before


@pytest.mark.parametrize("left", ["thread", "file", "child", "daemon"])
def test_what_cannot_be_put_back_ends_the_process(process: AgentProcess, left: str) -> None:
    first = run(process, left)["pid"]
    assert not is_alive(first)
    assert run(process)["pid"] != first
    assert child_pids(os.getpid()) - (process._guards._bystanders or set()) == {process._guard.pid}
    assert len(child_pids(process._guard.pid)) == 1


def test_a_process_that_grew_too_much_is_replaced() -> None:
    with warm(max_growth_bytes=8 * 2**20) as process:
        assert run(process, "memory")["pid"] != run(process)["pid"]


def test_growth_within_the_limit_is_let_be() -> None:
    with warm(max_growth_bytes=2**28) as process:
        assert run(process, "memory")["pid"] == run(process)["pid"]


def test_a_failed_run_leaves_its_process_to_the_next(process: AgentProcess) -> None:
    first = run(process)["pid"]
    process.start(replace(CLAIM, kind="raiser"))
    assert end_of(process)["end"] == AttemptEnd.RAISED
    assert run(process)["pid"] == first


def test_a_run_that_is_killed_takes_its_process_with_it(process: AgentProcess) -> None:
    first = run(process)["pid"]
    process.start(replace(CLAIM, kind="stubborn"))
    process.end()
    assert not is_alive(first) and run(process)["pid"] != first


def test_a_run_that_was_not_seen_off_is_not_mistaken_for_the_next(process: AgentProcess) -> None:
    first = run(process)["pid"]
    process.start(CLAIM)
    assert run(process, "nothing")["pid"] != first
    assert not list(process.receive(0))


def test_a_process_that_died_while_it_rested_is_replaced(process: AgentProcess) -> None:
    first = run(process)["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(process.has_exited)
    assert run(process)["pid"] != first


def test_a_run_whose_process_died_before_it_began_is_no_failure(process: AgentProcess) -> None:
    first = psutil.Process(run(process)["pid"])
    first.suspend()
    process.start(CLAIM)
    first.kill()
    wait_until(process.has_exited)
    assert not list(process.receive(0)) and process.end()


def test_a_guard_that_died_takes_its_agent_with_it(process: AgentProcess) -> None:
    first = run(process)["pid"]
    os.kill(process._guard.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))
    assert run(process)["pid"] != first


def test_what_an_agent_started_ends_with_its_guard(process: AgentProcess) -> None:
    process.start(replace(CLAIM, kind="forker"))
    told = next(process.receive(10))["message"]
    left = psutil.Process(int(told.removeprefix("child ")))
    os.kill(process._guard.pid, signal.SIGKILL)
    assert process.end() and not left.is_running()


@pytest.mark.parametrize("change", [{"lease_ms": 4000}, {"max_memory_bytes": 2**33}])
def test_a_run_under_other_limits_gets_a_process_of_its_own(
    process: AgentProcess, change: dict[str, Any]
) -> None:
    assert run(process)["pid"] != run(process, **change)["pid"]


def test_a_stop_is_for_one_run_only(process: AgentProcess) -> None:
    slow = replace(CLAIM, kind="slow", config={"seconds": 30, "steps": 300})
    process.start(slow)
    process.ask_to_stop()
    assert end_of(process)["result"]["stopped"]
    process.start(replace(slow, config={"seconds": 0.01, "steps": 1}))
    assert not end_of(process)["result"]["stopped"]


def sleep(parent: int) -> NoReturn:
    while True:
        time.sleep(600)


def test_a_guard_whose_keeper_is_silent_kills_its_agent() -> None:
    guard = Guard(sleep, silence_seconds=1)
    wait_until(lambda: child_pids(guard.pid))
    (agent,) = child_pids(guard.pid)
    wait_until(guard.is_gone)
    assert guard.reap() and not is_alive(agent)


def test_a_guard_that_is_beaten_for_stays(process: AgentProcess) -> None:
    silent = Guard(sleep, silence_seconds=0.2)
    first = run(process, lease_ms=250)["pid"]
    wait_until(silent.is_gone)
    assert silent.reap() and is_alive(first)


def test_a_guard_that_is_stopped_is_killed_in_the_end(
    process: AgentProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_guard, "FAREWELL_SECONDS", 0.1)
    first = run(process)["pid"]
    os.kill(process._guard.pid, signal.SIGSTOP)
    process.close()
    assert not is_alive(first)
    assert run(process)["pid"] != first


def test_the_end_of_one_process_leaves_the_others_alone() -> None:
    agents, guards = AgentManager(["tests.agents_for_tests"]), Guards()
    first, second = (AgentProcess(agents, Recycling(1000), guards=guards) for _ in range(2))
    try:
        pids = [run(process)["pid"] for process in (first, second)]
        os.kill(first._guard.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pids[0]))
        first.notice()
        first.close()
        assert run(second)["pid"] == pids[1]
    finally:
        first.close()
        second.close()
        adopt_orphans(False)


def test_a_process_without_work_ends_after_a_while(process: AgentProcess) -> None:
    first = run(process)["pid"]
    process.close_if_idle()
    assert is_alive(first)
    process.close_if_idle(0)
    assert not is_alive(first)


def test_a_process_at_work_is_not_idle(process: AgentProcess) -> None:
    process.start(replace(CLAIM, kind="slow", config={"seconds": 0.01, "steps": 1}))
    process.close_if_idle(0)
    assert end_of(process)["end"] == AttemptEnd.RETURNED


def test_closing_twice_is_harmless(process: AgentProcess) -> None:
    run(process)
    process.close()
    process.close()
    assert run(process)["pid"]
