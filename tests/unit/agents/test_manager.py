"""AgentManager: kinds, building and configs."""

import subprocess
import sys

import pytest
from marshmallow import Schema, ValidationError, fields, validates_schema

from neonhub.agents import AgentManager, UnknownKind
from neonhub.errors import InvalidInput
from tests.agents_for_tests import Echo, Noop


class Refuser(Noop):
    """An agent with a schema of its own."""

    kind = "refuser"

    class config_schema(Schema):
        count = fields.Integer(required=True)
        inner = fields.Dict(keys=fields.String(), values=fields.Integer())

        @validates_schema
        def together(self, data: dict[str, object], **_: object) -> None:
            if data["count"] == 13:
                raise ValidationError("Not thirteen.")


@pytest.fixture
def manager() -> AgentManager:
    return AgentManager(["tests.agents_for_tests", "tests.unit.agents.test_manager"])


def test_the_kinds_hold_neonhubs_own_and_the_modules(manager: AgentManager) -> None:
    kinds = manager.kinds()
    assert {"http", "prompt", "echo", "noop", "refuser"} <= kinds.keys()
    assert kinds["echo"] is Echo


def test_each_build_is_a_new_agent(manager: AgentManager) -> None:
    first, second = manager.build("echo"), manager.build("echo")
    assert isinstance(first, Echo)
    assert first is not second


def test_an_unknown_kind_is_answered_with_those_that_exist(manager: AgentManager) -> None:
    with pytest.raises(UnknownKind, match=r"'nothing'; there are: chatty, .*, http,") as raised:
        manager.build("nothing")
    assert list(raised.value.errors) == ["kind"]
    assert raised.value.status_code == 422


def test_a_config_of_an_unknown_kind_is_refused(manager: AgentManager) -> None:
    with pytest.raises(UnknownKind):
        manager.validate_config("nothing", {})


def test_a_class_without_a_schema_takes_any_config(manager: AgentManager) -> None:
    assert manager.validate_config("echo", {"any": ["thing"]}) == {"any": ["thing"]}


def test_a_good_config_comes_back_as_it_was_given(manager: AgentManager) -> None:
    assert manager.validate_config("refuser", {"count": "7"}) == {"count": "7"}


@pytest.mark.parametrize(
    ("config", "field", "sentence"),
    [
        ({}, "config.count", "Missing data for required field."),
        ({"count": 1, "more": 2}, "config.more", "Unknown field."),
        ({"count": 1, "inner": {"a": "b"}}, "config.inner.a.value", "Not a valid integer."),
        ({"count": 13}, "config", "Not thirteen."),
    ],
)
def test_a_refused_config_names_its_fields(
    manager: AgentManager, config: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        manager.validate_config("refuser", config)
    assert raised.value.errors == {field: [sentence]}


def test_importing_agents_imports_no_client_and_no_sdk() -> None:
    code = (
        "import sys, neonhub.agents; neonhub.agents.AgentManager();"
        "print({'urllib3', 'openai', 'anthropic', 'sqlalchemy'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
