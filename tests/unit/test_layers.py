"""Imports run one way, at the top of files, and connect to nothing."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = (
    # Usable from everywhere.
    "neonhub neonhub.clock neonhub.errors neonhub.ids neonhub.environment neonhub.database_url "
    "neonhub.libpq neonhub.config neonhub.process neonhub.faults",
    "neonhub.domain neonhub.database neonhub.statements neonhub.observability",
    "neonhub.models neonhub.redis",
    "neonhub.migrations neonhub.events",
    "neonhub.agents",
    "neonhub.execution",
    "neonhub.scheduling neonhub.retention",
    "neonhub.seeding neonhub.startup",
    "neonhub.api workers",
    "neonhub.system",
    "app",
    "wsgi neonhub.__main__",
)
"""From the bottom up: a module imports what is below it, and what shares its own package."""

PURE = ("neonhub.domain",)
"""Packages that know rules only: no database, no Redis, no web, no clock."""

IMPURE_LIBRARIES = {"sqlalchemy", "redis", "rq", "flask", "requests", "gevent", "logging", "os"}

IMPORTS_INSIDE_FUNCTIONS: dict[str, str] = {
    "openai": "an optional extra that takes a second to import",
    "anthropic": "an optional extra that takes a second to import",
}
"""What may be imported inside a function, and why."""

CONNECTS_NOWHERE = """
import importlib, socket, sqlite3, sys

def refuse(*_, **__):
    raise AssertionError("something connects at import time")

socket.socket.connect = sqlite3.connect = refuse
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def _files() -> list[Path]:
    found = [path for name in ("neonhub", "workers") for path in (ROOT / name).rglob("*.py")]
    return sorted([*found, ROOT / "app.py", ROOT / "wsgi.py"])


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in _files()}


def _unit(module: str) -> tuple[int, str]:
    """The layer of a module and the package it belongs to there."""
    units = {unit: rank for rank, layer in enumerate(LAYERS) for unit in layer.split()}
    matching = [unit for unit in units if module == unit or module.startswith(f"{unit}.")]
    own = max(matching, key=len)
    assert own != "neonhub" or module == "neonhub", f"{module} has no layer"
    return units[own], own


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    rank, unit = _unit(module)
    for imported in filter(MODULES.__contains__, _imports(MODULES[module])):
        below, other = _unit(imported)
        assert below < rank or other == unit or rank == below == 0, f"{module} → {imported}"


def test_modules_form_no_cycle() -> None:
    below = {name: set(_imports(path)) & set(MODULES) for name, path in MODULES.items()}
    while leaves := {name for name, imported in below.items() if not imported & set(below)}:
        below = {name: imported for name, imported in below.items() if name not in leaves}
    assert below == {}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(PURE)])
def test_rules_know_no_services(module: str) -> None:
    assert not {name.split(".")[0] for name in _imports(MODULES[module])} & IMPURE_LIBRARIES


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module: str) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(MODULES[module].read_text())
    hidden = {
        name.name if isinstance(node, ast.Import) else str(node.module)
        for function in ast.walk(tree)
        if isinstance(function, functions)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert hidden <= set(IMPORTS_INSIDE_FUNCTIONS)


def test_importing_connects_to_nothing() -> None:
    modules = [
        name
        for name in MODULES
        # Alembic's own files run a migration when they are loaded; wsgi builds the application.
        if not name.startswith(("neonhub.migrations.env", "neonhub.migrations.versions", "wsgi"))
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CONNECTS_NOWHERE, *modules]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
