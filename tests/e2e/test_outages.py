"""A database or a Redis that is away: told, waited for, and taken up again without a restart."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from neonhub.redis.embedded import EmbeddedServer
from tests.e2e.running import RunningSystem
from tests.services import start_postgres
from tests.waiting import wait_until

RECOVERY_SECONDS = 60


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """Where a PostgreSQL will be, open to the user it runs as."""
    with TemporaryDirectory(prefix="neonhub-outage-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


def status(system: RunningSystem, path: str) -> int:
    """What a path answers with; 0 while nothing answers."""
    with suppress(requests.ConnectionError, requests.Timeout):
        return system.get(path).status_code
    return 0


def test_a_database_that_comes_late_is_waited_for(tmp_path: Path, postgres_folder: Path) -> None:
    url = f"postgresql://postgres@/postgres?host={postgres_folder}"
    system = RunningSystem(tmp_path, env={"DATABASE_URL": url})
    system.start(wait=False)
    try:
        wait_until(lambda: status(system, "/readyz") == 503, seconds=RECOVERY_SECONDS)
        answer = system.get("/api/agents")
        assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)
        with start_postgres(postgres_folder):
            wait_until(lambda: status(system, "/readyz") == 200, seconds=RECOVERY_SECONDS)
            assert system.get("/api/agents").json()["total"] == 5
            system.end()
    finally:
        system.end()


def test_redis_that_goes_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    redis = EmbeddedServer(tmp_path / "server")
    with RunningSystem(tmp_path, env={"REDIS_URL": redis.start()}) as system:
        redis.stop()
        wait_until(lambda: status(system, "/readyz") == 503, seconds=RECOVERY_SECONDS)
        session = system.post("/api/agents/content-creator/run", {})
        assert session.status_code == 202
        redis.start()
        path = f"/api/sessions/{session.json()['id']}"
        wait_until(
            lambda: system.get(path).json()["status"] == "COMPLETED", seconds=RECOVERY_SECONDS
        )
        assert status(system, "/readyz") == 200
    redis.stop()


def test_a_frozen_redis_does_not_freeze_the_web(tmp_path: Path) -> None:
    redis = EmbeddedServer(tmp_path / "server")
    with RunningSystem(tmp_path, env={"REDIS_URL": redis.start()}) as system:
        assert redis.process is not None
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            assert system.get("/healthz").status_code == 200
            assert system.get("/api/agents").status_code == 200
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)
        wait_until(lambda: status(system, "/readyz") == 200, seconds=RECOVERY_SECONDS)
    redis.stop()
