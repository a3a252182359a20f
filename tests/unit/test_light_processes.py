"""A process loads what it uses: what only some need would cost every one memory and time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WEIGHTS = (
    "alembic",  # 10 MB, for a schema that is not the newest
    "anthropic",
    "openai",
    "psycopg",  # 9 MB, for PostgreSQL
    "sentry_sdk",  # 15 MB, where SENTRY_DSN is set
    "valkey",  # a second client of Redis
)
"""What an idle process on SQLite does without."""

PARTS_OF_THE_WEB = {"flask", "gevent", "werkzeug"}

TELL = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def modules(module: str) -> set[str]:
    """What is loaded when a module has been imported."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TELL, module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["app", "workers.web", "neonhub.api.wiring"])
def test_an_idle_process_carries_nothing_it_has_no_use_for(module: str) -> None:
    assert set(WEIGHTS) & modules(module) == set()


def test_only_the_web_process_carries_the_web() -> None:
    assert PARTS_OF_THE_WEB & modules("app") == set()
