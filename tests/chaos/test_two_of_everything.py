"""The same thing asked for many times at once, and things removed from under others."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from neonhub.models import AgentSession
from neonhub.redis.queues import Job, hand_over
from tests.chaos.agents import unended as unended_agents
from tests.chaos.capture import Capture
from tests.chaos.harness import Harness
from tests.chaos.judge import unended, violations
from tests.chaos.load import Load
from tests.waiting import wait_until

TIMES = 10
NAMES = count()


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with Harness(is_proxied=False) as harness:
        yield harness


@pytest.fixture
def load(harness: Harness) -> Load:
    """An empty one."""
    name = f"many-{next(NAMES)}"
    return Load(harness.system, name, harness.folder / f"truth-{name}")


@pytest.fixture(autouse=True)
def judged(harness: Harness, load: Load) -> Iterator[None]:
    """Whatever happens, everything ends, every promise is kept and the pool stays."""
    pools = {process.pid for process in harness.find_all("pool")}
    with Capture(harness.system.url) as capture:
        yield
        load.end()
        wait_until(lambda: not unended(harness.database, load), seconds=20)
        wait_until(lambda: not violations(harness.database, load, capture))
    assert {process.pid for process in harness.find_all("pool")} == pools


def at_once(harness: Harness, path: str) -> list[requests.Response]:
    with ThreadPoolExecutor(TIMES) as pool:
        return list(pool.map(lambda _: harness.system.post(path, {}), range(TIMES)))


def session(harness: Harness, session_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = harness.system.get(f"/api/sessions/{session_id}").json()
    return answer


def starts(truth: Path) -> Counter[str]:
    lines = truth.read_text().splitlines() if truth.exists() else []
    return Counter(line.split()[1] for line in lines if line.endswith("start"))


def test_a_stop_clicked_ten_times_stops_once(harness: Harness, load: Load) -> None:
    load.add_agent("long", seconds=60)
    stopped = load.run("long")
    load.acknowledged.remove(stopped)  # the judge wants those completed
    wait_until(lambda: unended_agents(load.truth))
    answers = {answer.status_code for answer in at_once(harness, f"/api/sessions/{stopped}/stop")}
    wait_until(lambda: session(harness, stopped)["status"] == "STOPPED")
    assert answers <= {202, 409} and 202 in answers


def test_a_stop_while_its_session_ends_comes_in_time_or_too_late(
    harness: Harness, load: Load
) -> None:
    load.add_agent("short", seconds=0.05)
    for _ in range(TIMES):
        raced = load.run("short")
        load.acknowledged.remove(raced)
        answers = at_once(harness, f"/api/sessions/{raced}/stop")
        assert {answer.status_code for answer in answers} <= {202, 409}
    wait_until(lambda: not unended(harness.database, load))
    assert _ends(harness, load) <= {"COMPLETED", "STOPPED"}


def test_a_job_pushed_five_times_starts_once(harness: Harness, load: Load) -> None:
    load.add_agent("copied", seconds=0.3)
    sessions = [load.run("copied") for _ in range(5)]
    copies = [Job(each, 1, push, "high") for each in sessions for push in range(10, 15)]
    with harness.redis() as redis:
        hand_over(redis, copies)
    wait_until(lambda: not unended(harness.database, load))
    assert starts(load.truth) == Counter(sessions)


def test_the_same_post_sent_many_times_makes_one_session(harness: Harness, load: Load) -> None:
    load.add_agent("once", seconds=0.1)
    headers = {"Idempotency-Key": load.name}
    url = f"{harness.system.url}/api/agents/{load.agents[0]}/run"
    with ThreadPoolExecutor(TIMES) as pool:
        answers = list(
            pool.map(
                lambda _: requests.post(url, json={}, headers=headers, timeout=10), range(TIMES)
            )
        )
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_schedule_deleted_while_it_fires_fires_no_more(harness: Harness, load: Load) -> None:
    load.add_agent("brief", seconds=0.5)
    load.schedule("brief", interval=1, overlap="ALLOW")
    wait_until(lambda: starts(load.truth))
    (schedule,) = load.schedules.values()
    load.schedules.clear()
    url = f"{harness.system.url}/api/schedules/{schedule}"
    assert requests.delete(url, timeout=10).status_code == 204
    wait_until(lambda: not unended(harness.database, load))
    decided = _count(harness, load)
    load.add_agent("watch", seconds=0.1)
    load.schedule("watch", interval=1, overlap="ALLOW")
    wait_until(lambda: _count(harness, load) >= decided + 2)  # two seconds of other ticks
    assert _count(harness, load, "brief") == decided


def test_an_agent_deleted_while_it_runs_ends_well(harness: Harness, load: Load) -> None:
    load.add_agent("gone", seconds=1)
    load.schedule("gone", interval=1, overlap="ALLOW")
    load.run("gone")
    wait_until(lambda: unended_agents(load.truth))
    load.schedules.clear()  # they go with it
    url = f"{harness.system.url}/api/agents/{load.agents[0]}"
    assert requests.delete(url, timeout=10).status_code == 204
    assert harness.system.post(f"/api/agents/{load.agents[0]}/run", {}).status_code == 404


def _ends(harness: Harness, load: Load) -> set[str]:
    with harness.database.read() as db:
        mine = db.query(AgentSession).filter(AgentSession.agent_id.in_(load.agents))
        return {each.status for each in mine}


def _count(harness: Harness, load: Load, agent: str = "") -> int:
    with harness.database.read() as db:
        mine = AgentSession.agent_id.startswith(f"{load.name}-{agent}")
        return db.query(AgentSession).filter(mine).count()
