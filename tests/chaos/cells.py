"""The matrix: component by moment by fault, each a cell."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil
from redis.exceptions import RedisError

from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession
from tests.chaos.agents import lives, unended
from tests.chaos.harness import Harness
from tests.chaos.load import Load
from tests.chaos.proxy import FAULTS
from tests.waiting import wait_until

POINTS = (
    "scheduler.claimed",
    "scheduler.decided",
    "scheduler.handed-over",
    "worker.job-taken",
    "worker.claimed",
    "worker.agent-started",
    "worker.agent-ended",
    "worker.finished",
    "worker.delivered",
    "lifeline.given-up",
    "web.session-committed",
    "web.schedule-committed",
)
ACTIONS = ("kill", "stall 3", "fail")
MOMENTS = ("idle", "running", "retrying")
COMPONENTS = ("scheduler", "pool", "web", "web-worker", "server", "app")


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one moment."""

    name: str
    moment: str
    inject: Callable[[Harness, Load], None]


def wait_for_moment(harness: Harness, load: Load, moment: str, chance: random.Random) -> None:
    """Wait until the system is where the fault is to meet it."""
    if moment == "running":
        wait_until(lambda: any(lives(each[3]) for each in unended(load.truth)), seconds=10)
    elif moment == "retrying":
        wait_until(lambda: _is_retrying(harness, load), seconds=10)
    time.sleep(chance.random() * 0.5)


def _is_retrying(harness: Harness, load: Load) -> bool:
    """Whether an attempt has failed, and perhaps waits still."""
    with harness.database.read() as db:
        flaky = db.query(AgentSession).filter(AgentSession.agent_id == f"{load.name}-flaky")
        return any(
            session.failures or session.status == SessionStatus.RETRYING for session in flaky
        )


def cells(*, is_proxied: bool) -> list[Cell]:
    """Every cell of one kind of system, in a fixed order."""
    found = [*_points(), *_kills(), *_freezes(), *_terminations(), *_redis_troubles()]
    return [*found, *(_connections() if is_proxied else _locks())]


def _points() -> list[Cell]:
    return [_point(point, action) for point in POINTS for action in ACTIONS]


def _point(point: str, action: str) -> Cell:
    def inject(harness: Harness, load: Load) -> None:
        harness.arm(point, action)
        if point == "web.session-committed":
            load.run("manual")
        elif point == "web.schedule-committed":
            load.edit("alone")
        elif point == "lifeline.given-up":
            harness.kill_busy_pool()
        wait_until(lambda: not (harness.faults / point).exists(), seconds=10)

    moment = "running" if point == "lifeline.given-up" else "idle"
    return Cell(f"{point}-{action.split()[0]}", moment, inject)


def _kills() -> list[Cell]:
    found = []
    for component in COMPONENTS:
        for moment in MOMENTS:

            def inject(harness: Harness, load: Load, component: str = component) -> None:
                harness.kill(component)

            found.append(Cell(f"kill-{component}-{moment}", moment, inject))
    return [
        *found,
        Cell("kill-agent-running", "running", _kill_agent),
        Cell("kill-agent-at-rest", "idle", partial(_kill_at_rest, component="agent")),
        Cell("kill-guard-at-rest", "idle", partial(_kill_at_rest, component="guard")),
        Cell("kill-guard-running", "running", _kill_guard),
    ]


def _kill_agent(harness: Harness, load: Load) -> None:
    wait_until(lambda: _kill_any(pid for *_, pid in unended(load.truth)), seconds=10)


def _kill_guard(harness: Harness, load: Load) -> None:
    """It is an agent's parent."""
    wait_until(lambda: _kill_any(_guards_at_work(load)), seconds=10)


def _guards_at_work(load: Load) -> list[int]:
    return [guard for *_, pid in unended(load.truth) if (guard := _parent_of(pid)) > 1]


def _kill_at_rest(harness: Harness, load: Load, *, component: str) -> None:
    """One that waits for the next run, if there is one."""
    busy = {pid for *_, pid in unended(load.truth)}
    busy |= set(_guards_at_work(load))
    _kill_any(each.pid for each in harness.find_all(component) if each.pid not in busy)


def _parent_of(pid: int) -> int:
    """0 if it is gone."""
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return 0


def _kill_any(pids: Iterable[int]) -> bool:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _freezes() -> list[Cell]:
    found = []
    for component in ("scheduler", "pool", "web-worker", "server"):
        for moment in ("idle", "running"):

            def inject(harness: Harness, load: Load, component: str = component) -> None:
                harness.freeze(component)

            found.append(Cell(f"freeze-{component}-{moment}", moment, inject))
    return found


def _terminations() -> list[Cell]:
    found = []
    for component in ("scheduler", "pool", "web"):

        def inject(harness: Harness, load: Load, component: str = component) -> None:
            harness.terminate(component)

        found.append(Cell(f"terminate-{component}-running", "running", inject))
    return found


def _redis_troubles() -> list[Cell]:
    def flush(harness: Harness, load: Load) -> None:
        with harness.redis() as redis:
            redis.flushall()

    def fill(harness: Harness, load: Load) -> None:
        with harness.redis() as redis:
            redis.config_set("maxmemory", 1)
            time.sleep(2)
            redis.config_set("maxmemory", 0)

    def read_only(harness: Harness, load: Load) -> None:
        with harness.redis() as redis:
            redis.replicaof("127.0.0.1", "1")
            time.sleep(2)
            redis.replicaof("NO", "ONE")

    def cut_all(harness: Harness, load: Load) -> None:
        with harness.redis() as redis:
            for kind in ("normal", "pubsub"):
                try:
                    redis.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
                except RedisError:
                    continue

    troubles = {"flush": flush, "full": fill, "read-only": read_only, "clients-killed": cut_all}
    return [
        Cell(f"redis-{name}-{moment}", moment, inject)
        for name, inject in troubles.items()
        for moment in MOMENTS
    ]


def _connections() -> list[Cell]:
    found = []
    for server in ("redis", "database"):
        for fault in FAULTS:
            for moment in MOMENTS:

                def inject(
                    harness: Harness, load: Load, server: str = server, fault: str = fault
                ) -> None:
                    proxy = harness.redis_proxy if server == "redis" else harness.database_proxy
                    assert proxy is not None
                    proxy.inject(fault)

                found.append(Cell(f"{server}-{fault}-{moment}", moment, inject))
    for moment in MOMENTS:
        found.append(Cell(f"postgres-backends-ended-{moment}", moment, _end_backends))
    return found


def _end_backends(harness: Harness, load: Load) -> None:
    harness.restart_postgres_connections()


def _locks() -> list[Cell]:
    def lock(harness: Harness, load: Load) -> None:
        with harness.locked_sqlite():
            time.sleep(10)

    def fill_disk(harness: Harness, load: Load) -> None:
        with harness.full_disk():
            time.sleep(3)

    return [
        Cell(f"{name}-{moment}", moment, inject)
        for name, inject in (("sqlite-locked", lock), ("disk-full", fill_disk))
        for moment in MOMENTS
    ]
