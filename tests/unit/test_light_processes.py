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

TELL = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


@pytest.mark.parametrize("module", ["app", "workers.web", "workers.scheduler", "workers.pool"])
def test_an_idle_process_carries_nothing_it_has_no_use_for(module: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TELL, module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert set(WEIGHTS) & set(done.stdout.split()) == set()
