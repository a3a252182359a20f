"""What the kind `prompt` takes and refuses."""

from typing import Any

import pytest

from neonhub.agents import AgentManager, NonRetryableError
from neonhub.agents.prompt.config import PromptConfig
from neonhub.errors import InvalidInput


def test_only_the_prompt_is_needed() -> None:
    assert PromptConfig.read({"prompt": "hi"}) == PromptConfig(
        prompt="hi",
        variables={},
        system=None,
        provider="auto",
        model=None,
        max_tokens=1024,
        temperature=None,
    )


def test_an_input_fills_variables_and_wins() -> None:
    config = {"prompt": "{a}{b}", "variables": {"a": 1, "b": 1}}
    assert PromptConfig.read({**config, "b": 2}).variables == {"a": 1, "b": 2}


def test_an_input_that_spoils_the_config_is_not_tried_again() -> None:
    with pytest.raises(NonRetryableError, match=r"config\.maxTokens: Not a valid integer"):
        PromptConfig.read({"prompt": "hi", "maxTokens": "many"})


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "config.prompt"),
        ({"prompt": " \n"}, "config.prompt"),
        ({"prompt": ["hi"]}, "config.prompt"),
        ({"prompt": "x" * 200_001}, "config.prompt"),
        ({"prompt": "hi", "provider": "mine"}, "config.provider"),
        ({"prompt": "hi", "model": ""}, "config.model"),
        ({"prompt": "hi", "maxTokens": 0}, "config.maxTokens"),
        ({"prompt": "hi", "maxTokens": "10"}, "config.maxTokens"),
        ({"prompt": "hi", "temperature": 2.1}, "config.temperature"),
        ({"prompt": "hi", "temperature": "0"}, "config.temperature"),
        ({"prompt": "hi", "variables": []}, "config.variables"),
        ({"prompt": "hi", "topic": "tea"}, "config.topic"),
    ],
)
def test_a_wrong_field_is_named(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        AgentManager().validate_config("prompt", config)
    assert list(raised.value.errors) == [field]
