"""What every process does first."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import text

from neonhub.config import Settings
from neonhub.database import Database
from neonhub.errors import ConfigError
from neonhub.migrations import is_migrated
from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer
from neonhub.startup import (
    EXIT_WRONG_SETTING,
    prepare_database,
    run_process,
    wait_for_redis,
)

ROOT = Path(__file__).parents[2]

PREPARE = """
import sys
from neonhub.database import Database
from neonhub.startup import prepare_database

print(prepare_database(Database(sys.argv[1])), "alembic" in sys.modules)
"""


@pytest.fixture(autouse=True)
def plain_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from this folder, logging stays the tests'."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("neonhub.startup.configure_logging", lambda *_, **__: None)


def test_a_process_gets_its_settings_and_a_data_folder(tmp_path: Path) -> None:
    given: list[Settings] = []
    run_process("pool", given.append)
    assert given[0].data_dir == tmp_path / ".neonhub"
    assert given[0].data_dir.is_dir()


def test_a_wrong_setting_ends_a_process_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit) as ended:
        run_process("pool", lambda _: None)
    assert ended.value.code == EXIT_WRONG_SETTING
    assert capsys.readouterr().err.startswith("PORT is 'x': must be")


def test_a_setting_found_wrong_later_ends_a_process_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: Settings) -> None:
        raise ConfigError("That does not go.")

    with pytest.raises(SystemExit):
        run_process("pool", refuse)
    assert capsys.readouterr().err == "That does not go.\n"


def test_an_empty_database_gets_the_newest_schema(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new.db")
    assert prepare_database(database)
    with database.engine.begin() as connection:
        assert is_migrated(connection)
    database.close()


def test_a_process_keeps_nothing_of_a_migration(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PREPARE, f"sqlite:///{tmp_path}/new.db"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_what_stops_a_migration_stops_the_process(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/strange.db")
    with database.begin() as db:
        db.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        db.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    with pytest.raises(CommandError, match="9999"):
        prepare_database(database)
    database.close()


def test_a_database_that_is_away_is_waited_for_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database, waits = Database(f"sqlite:///{tmp_path}/later/new.db"), list[float]()

    def come_back_after_the_second_wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            (tmp_path / "later").mkdir()

    with caplog.at_level(logging.ERROR):
        assert prepare_database(database, sleep=come_back_after_the_second_wait)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    database.close()


def test_waiting_for_a_database_ends_when_asked() -> None:
    database = Database("sqlite:////no/such/folder/new.db")
    assert not prepare_database(database, should_stop=lambda: True)


def test_redis_that_is_away_is_waited_for_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedServer(tmp_path)
    tries: list[float] = []

    def sleep(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 3:
            server.start()

    with connect(server.url) as redis, caplog.at_level(logging.ERROR):
        wait_for_redis(redis, sleep=sleep)
    server.stop()
    assert len(tries) == 3
    assert [r.message for r in caplog.records if "Redis does not answer" in r.message][1:] == []
