"""The image, compose and continuous integration say what the project means."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from neonhub.__main__ import ROLES, command
from neonhub.config import load_settings

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+(\.\d+)*")


def _dockerfile() -> list[tuple[str, str]]:
    """Instructions of the last stage, in order."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pairs = [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]
    last = max(at for at, (name, _) in enumerate(pairs) if name == "FROM")
    return pairs[last:]


def _instruction(name: str) -> str:
    return next(words for instruction, words in reversed(_dockerfile()) if instruction == name)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return parsed


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    parsed: dict[str, Any] = yaml.safe_load(text)
    return parsed


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_a_module_that_exists(role: str) -> None:
    interpreter, flag, module = (command([role]) or [])[:3]
    assert (interpreter, flag) == (sys.executable, "-m")
    assert importlib.util.find_spec(module) is not None


def test_a_role_passes_on_what_follows_it() -> None:
    assert (command(["health", "workers"]) or [])[-1] == "workers"


@pytest.mark.parametrize("words", [[], ["nonsense"]])
def test_another_role_is_refused(words: list[str]) -> None:
    assert command(words) is None


def test_the_image_runs_every_role_and_all_of_them_by_default() -> None:
    assert json.loads(_instruction("ENTRYPOINT")) == ["python", "-m", "neonhub"]
    assert json.loads(_instruction("CMD")) == ["all"]


def test_the_image_does_not_run_as_root() -> None:
    user = _instruction("USER")
    created = " ".join(words for name, words in _dockerfile() if name == "RUN")
    assert user not in ("root", "0")
    assert f"--create-home {user}" in created


def test_the_image_checks_its_health() -> None:
    words = json.loads(_instruction("HEALTHCHECK").partition("CMD ")[2])
    assert words == ["python", "-m", "neonhub", "health", "web"]


def test_the_image_installs_by_hash() -> None:
    assert "--require-hashes --requirement requirements.txt" in (ROOT / "Dockerfile").read_text()


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        source
        for name, words in _dockerfile()
        if name == "COPY" and not words.startswith("--from")
        for source in words.split()[:-1]
    }
    assert copied <= allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_the_images_settings_are_good() -> None:
    pairs = shlex.split(_instruction("ENV"))
    settings = load_settings(dict(pair.split("=", 1) for pair in pairs))
    assert (str(settings.data_dir), settings.port) == ("/data", 5000)
    assert _instruction("EXPOSE") == str(settings.port)
    assert _instruction("VOLUME") == str(settings.data_dir)


def test_compose_has_every_part(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "web", "scheduler", "workers"}


@pytest.mark.parametrize("name", ["web", "scheduler", "workers"])
def test_compose_starts_a_role_with_good_settings(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["command"] == [name]
    assert name in ROLES
    settings = load_settings(_substituted(service["environment"]))
    assert settings.database_schema == "public"
    assert settings.redis_url == "redis://redis:6379/0"


@pytest.mark.parametrize("name", ["scheduler", "workers"])
def test_compose_asks_a_role_for_its_own_health(compose: dict[str, Any], name: str) -> None:
    test = compose["services"][name]["healthcheck"]["test"]
    assert test == ["CMD", "python", "-m", "neonhub", "health", name]


def test_compose_publishes_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:${PORT:-5000}:5000"]


def test_compose_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    for name in ("postgres", "redis"):
        assert compose["services"][name]["healthcheck"]["test"]
        condition = compose["services"]["web"]["depends_on"][name]["condition"]
        assert condition == "service_healthy"


def test_composes_redis_forgets_nothing(compose: dict[str, Any]) -> None:
    words = compose["services"]["redis"]["command"]
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"
    assert words[words.index("--appendonly") + 1] == "yes"


def test_ci_may_only_read(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())


def test_ci_pins_every_action_to_a_commit() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert all(PINNED.fullmatch(name) for name in used)


def test_ci_runs_targets_that_exist(workflow: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    runs = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    made = {run.split()[1] for run in runs if run.startswith("make ")}
    assert made == {"lint", "test", "coverage", "audit"}
    assert made <= targets


def test_ci_tests_every_python_that_is_supported(workflow: dict[str, Any]) -> None:
    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13"]


def _substituted(environment: dict[str, str]) -> dict[str, str]:
    """What compose makes of `${NAME:-default}` when nothing is set."""
    return {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in environment.items()
    }
