"""What docs/agents.md says is so: its snippets run, and its tables are the schemas'."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, missing

from neonhub.agents import AgentManager
from neonhub.agents.http.config import HttpConfigSchema
from neonhub.agents.prompt.config import PromptConfigSchema

TEXT = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()
FIELD = re.compile(r"^\| `(\w+)` \| (.+?) \| ", re.MULTILINE)


def snippets(language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """What stands below a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's Python as the module its shell line names."""
    (name,) = re.findall(r"NEONHUB_AGENT_MODULES=(\S+)", snippets("sh")[0])
    file = tmp_path / f"{name.replace('.', '/')}.py"
    file.parent.mkdir()
    file.write_text("\n".join(snippets("python")))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for loaded in [module for module in sys.modules if module.startswith("mypackage")]:
        del sys.modules[loaded]


def test_the_page_names_a_module_whose_agents_are_found(package: str) -> None:
    assert {"reporter", "strict-reporter"} <= AgentManager([package]).kinds().keys()


def test_the_pages_own_tests_pass(package: str) -> None:
    AgentManager([package])
    module = vars(sys.modules[package])
    tests = [run for name, run in module.items() if name.startswith("test_")]
    assert len(tests) == 3
    for run in tests:
        run()


def test_the_pages_entry_point_names_its_class(package: str) -> None:
    manager = AgentManager([package])
    ((kind, value),) = tomllib.loads(snippets("toml")[0])["project"]["entry-points"][
        "neonhub.agents"
    ].items()
    agent_class = manager.agent_class(kind)
    assert value == f"{agent_class.__module__}:{agent_class.__name__}"


@pytest.mark.parametrize("body", snippets("json"))
def test_the_pages_agents_can_be_created(package: str, body: str) -> None:
    agent = json.loads(body)
    assert agent.keys() == {"id", "name", "kind", "config"}
    AgentManager([package]).validate_config(agent["kind"], agent["config"])


@pytest.mark.parametrize(
    ("title", "schema"), [("Kind `http`", HttpConfigSchema), ("Kind `prompt`", PromptConfigSchema)]
)
def test_a_kinds_table_has_its_fields_and_defaults(title: str, schema: type[Schema]) -> None:
    told = {name: default.strip("`") for name, default in FIELD.findall(section(title))}
    fields = schema().fields
    assert told == {field.data_key or name: shown(field) for name, field in fields.items()}


def shown(field: Any) -> str:
    """A field's default as the page writes it."""
    if field.load_default is missing:
        return "required"
    value = field.load_default() if callable(field.load_default) else field.load_default
    if isinstance(value, float):
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)
