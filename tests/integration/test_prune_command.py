"""`python -m neonhub prune`: what it says, what it removes, and what it refuses."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from neonhub.clock import utcnow
from neonhub.config import Settings, load_settings
from neonhub.database import Database
from neonhub.domain.retention import Retention
from neonhub.domain.states import SessionStatus
from neonhub.migrations import migrate
from neonhub.models import AgentSession
from tests.factories import add_agent, add_fleet, add_session
from workers import prune

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)


@pytest.fixture
def settings(database: Database) -> Settings:
    """Of a system with two sessions that are too old and one that is not."""
    add_fleet(database)
    agent, now = add_agent(database), utcnow()
    for days in (91, 92, 1):
        at = now - days * DAY
        ended = {"status": SessionStatus.COMPLETED, "queued_at": at, "finished_at": at}
        add_session(database, agent, **ended)
    return load_settings({"DATABASE_URL": url_of(database)})


def url_of(database: Database) -> str:
    url = database.engine.url.render_as_string(hide_password=False)
    return url.replace("postgresql+psycopg://", "postgresql://")


def count(database: Database) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(AgentSession)) or 0


def call(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["prune", *arguments])
    prune.main(settings)


SAID = """Ended sessions are kept for 90 days.
{} 2 sessions with 0 attempts and 0 log lines, 0 other events and 0 idempotency keys.
  reporter: 2 sessions
"""


def test_it_removes_what_is_past_its_time_and_says_what(
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call(settings, monkeypatch)
    assert capsys.readouterr().out == SAID.format("Removed")
    assert count(database) == 1


def test_a_dry_run_says_the_same_and_removes_nothing(
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call(settings, monkeypatch, "--dry-run")
    assert capsys.readouterr().out == SAID.format("Would remove")
    assert count(database) == 3


@pytest.mark.parametrize(
    ("days", "sessions", "sentence"),
    [
        (0, 0, "Ended sessions are kept for ever."),
        (1, 0, "Ended sessions are kept for 1 day."),
        (90, 1000, "Ended sessions are kept for 90 days, at most 1,000 of each agent."),
        (0, 5, "Ended sessions are kept for ever, at most 5 of each agent."),
    ],
)
def test_it_names_the_limits(database: Database, days: int, sessions: int, sentence: str) -> None:
    said = prune.report(database, Retention(days, sessions), dry_run=True)
    assert said.splitlines()[0] == sentence


def test_another_option_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        call(settings, monkeypatch, "--dryrun")
    assert ended.value.code == 2


def test_a_schema_of_another_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Database(f"sqlite:///{tmp_path}/old.db")
    migrate(old, revision="0003")
    old.close()
    with pytest.raises(SystemExit, match="start NeonHub on it first"):
        call(load_settings({"DATABASE_URL": f"sqlite:///{tmp_path}/old.db"}), monkeypatch)


def test_a_database_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    away = load_settings({"DATABASE_URL": "postgresql://127.0.0.1:1/nobody"})
    with pytest.raises(SystemExit, match="The database does not answer"):
        call(away, monkeypatch)


def test_it_is_a_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    fresh = Database(url)
    migrate(fresh)
    fresh.close()
    command = [sys.executable, "-m", "neonhub", "prune", "--dry-run"]
    env = {"DATABASE_URL": url, "NEONHUB_DATA_DIR": str(tmp_path), "PATH": "/usr/bin"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Ended sessions are kept for 90 days.\nWould remove 0 sessions")
