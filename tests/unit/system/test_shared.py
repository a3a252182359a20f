"""What the first process has loaded when it forks the web process holds nothing gevent replaces."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

TELL_WHAT_IS_HELD = """
import sys
import app
from neonhub.config import load_settings
from neonhub.system.shared import is_fit_for_web, load_what_is_shared

load_what_is_shared(load_settings({}))
assert is_fit_for_web()
before = {name: dict(vars(module)) for name, module in sys.modules.items()}

import gevent.monkey

gevent.monkey.patch_all()
replaced = {id(value) for values in gevent.monkey.saved.values() for value in values.values()}
for name, values in before.items():
    if name.partition(".")[0] in sys.stdlib_module_names | {"gevent"}:
        continue  # gevent looks after those
    for word, value in values.items():
        if callable(value) and id(value) in replaced:
            print(f"{name}.{word}")
"""

UNUSED = {"sqlalchemy.dialects.sqlite.aiosqlite.Thread"}
"""Held by what no process of ours uses."""


def run(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_fork_for_the_web_holds_nothing_that_gevent_replaces() -> None:
    assert set(run(TELL_WHAT_IS_HELD).split()) == UNUSED


def test_with_what_the_other_parts_load_it_is_not_forked_any_more() -> None:
    code = "import neonhub.system.forked; from neonhub.system import shared as s"
    assert run(f"{code}; print(s.is_fit_for_web())").strip() == "False"
