"""The scheduler as a process: starts on an empty database, fires, ends when asked to."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.models import Agent, AgentSession
from neonhub.retention.pruned import Pruned
from neonhub.scheduling.heartbeat import live_schedulers
from neonhub.scheduling.schedule_manager import ScheduleManager
from workers.scheduler import keep_lifeline, keep_pruned

PATIENCE_SECONDS = 30
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(database: Database, redis_url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {
        "DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "REDIS_URL": redis_url,
        "NEONHUB_DATA_DIR": str(folder),
    }
    process = subprocess.Popen([sys.executable, "-m", "workers.scheduler"], cwd=ROOT, env=env)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        if holds():
            return
        pause.wait(0.05)
    raise AssertionError("The condition never came to hold.")


def agents(database: Database) -> int:
    with database.read() as db:
        return len(db.scalars(select(Agent.key)).all())


def fired(database: Database) -> int:
    with database.read() as db:
        return len(db.scalars(select(AgentSession.id)).all())


def test_it_seeds_fires_and_ends_in_good_order(
    database: Database, redis_connection: Redis, redis_url: str, tmp_path: Path
) -> None:
    with started(database, redis_url, tmp_path) as process:
        wait_until(lambda: live_schedulers(redis_connection))
        assert agents(database) == 5
        manager = ScheduleManager(database, redis_connection)
        manager.create_schedule("trend-analyzer", {"name": "soon", "interval": 1})
        wait_until(lambda: fired(database))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert live_schedulers(redis_connection) == []


def test_a_killed_one_is_replaced_without_loss(
    database: Database, redis_connection: Redis, redis_url: str, tmp_path: Path
) -> None:
    with started(database, redis_url, tmp_path) as process:
        wait_until(lambda: live_schedulers(redis_connection))
        process.kill()
    manager = ScheduleManager(database, redis_connection)
    at = utcnow()
    manager.create_schedule("trend-analyzer", {"name": "soon", "interval": 1, "start_at": at})
    with started(database, redis_url, tmp_path):
        wait_until(lambda: fired(database))


def test_a_failing_lifeline_is_stepped_again() -> None:
    stopping, steps = threading.Event(), []

    class Broken:
        def step(self, now: datetime) -> None:
            steps.append(now)
            if len(steps) == 3:
                stopping.set()
            raise ValueError("broken")

    keep_lifeline(Broken(), stopping, every_seconds=0)  # type: ignore[arg-type]
    assert len(steps) == 3


class FakePruning:
    """Comes to its turn as often as told, and ends the thread with the last one."""

    def __init__(self, stopping: threading.Event, *outcomes: list[Pruned] | Exception) -> None:
        self.stopping = stopping
        self.outcomes = list(outcomes)
        self.batches = 0

    def run(self, now: datetime) -> Iterator[Pruned]:
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stopping.set()
        if isinstance(outcome, Exception):
            raise outcome
        for batch in outcome:
            self.batches += 1
            yield batch


def prune(pruning: FakePruning) -> None:
    seconds = {"first_seconds": 0, "every_seconds": 0, "rest_seconds": 0}
    keep_pruned(pruning, pruning.stopping, **seconds)  # type: ignore[arg-type]


def test_pruning_that_fails_comes_to_its_turn_again(caplog: pytest.LogCaptureFixture) -> None:
    away = OperationalError("", None, Exception("away"))
    pruning = FakePruning(threading.Event(), away, ValueError("broken"), [Pruned(sessions=1)])
    prune(pruning)
    assert (pruning.outcomes, pruning.batches) == ([], 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


def test_pruning_says_how_much_it_was(caplog: pytest.LogCaptureFixture) -> None:
    batches = [Pruned(log_lines=2, agent_id="a"), Pruned(sessions=3, agent_id="b")]
    with caplog.at_level(logging.INFO):
        prune(FakePruning(threading.Event(), batches, [], []))
    (record,) = caplog.records
    assert record.__dict__.items() >= {("sessions", 3), ("log_lines", 2)}


def test_pruning_ends_between_two_batches() -> None:
    pruning = FakePruning(threading.Event(), [Pruned(sessions=1), Pruned(sessions=1)])
    prune(pruning)
    assert pruning.batches == 1


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Database:
    """A process differs little between databases: one is enough here."""
    path = tmp_path / "neonhub.db"
    path.write_bytes(sqlite_template.read_bytes())
    return Database(f"sqlite:///{path}")
