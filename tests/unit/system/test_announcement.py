"""What a started system says."""

import shlex
import sys
from pathlib import Path

import pytest

from neonhub.config import load_settings
from neonhub.system.announcement import announcement, worker_line

HERE = Path.cwd()
OWN_SERVER = "unix:///srv/neon%20hub/redis.sock"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set for this run."""
    for name in ("NODE_ENV", "NEONHUB_DATA_DIR", "NEONHUB_AGENT_MODULES", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1:5000"), ("0.0.0.0", "127.0.0.1:5000"), ("::", "[::1]:5000")],
)
def test_it_names_the_addresses(host: str, address: str) -> None:
    said = announcement(load_settings({"HOST": host}), OWN_SERVER, HERE)
    assert f"http://{address}/\n" in said
    assert f"http://{address}/docs\n" in said
    assert f"ws://{address}/ws\n" in said


def test_the_worker_line_is_the_contracts() -> None:
    words = shlex.split(worker_line(load_settings({}), OWN_SERVER, HERE))
    assert Path(words[0]).name == "rq"
    assert words[1:] == ["worker", "-u", OWN_SERVER, "critical", "high", "normal", "low"]


def test_the_worker_line_has_what_was_set_for_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEONHUB_DATA_DIR", "/srv/neon hub")
    line = worker_line(load_settings({}), OWN_SERVER, HERE)
    assert line.startswith("NEONHUB_DATA_DIR='/srv/neon hub' ")


def test_the_worker_line_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/d")
    url = "redis://:hunter2@h/0"
    line = worker_line(load_settings({"REDIS_URL": url}), url, HERE)
    assert line.startswith('DATABASE_URL="$DATABASE_URL" ')
    assert '-u "$REDIS_URL"' in line


def test_the_worker_line_works_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"PYTHONPATH={HERE} " in worker_line(load_settings({}), OWN_SERVER, HERE)


def test_a_program_below_this_folder_is_named_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(HERE / ".venv" / "bin" / "python"))
    assert worker_line(load_settings({}), OWN_SERVER, HERE).startswith(".venv/bin/rq worker ")
