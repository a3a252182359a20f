"""Placeholders in prompts."""

from typing import Any

import pytest

from neonhub.agents import NonRetryableError
from neonhub.agents.prompt.template import fill


@pytest.mark.parametrize(
    ("template", "variables", "filled"),
    [
        ("Write about {topic}.", {"topic": "tea"}, "Write about tea."),
        ("{a}{b}{a}", {"a": "1", "b": "2"}, "121"),
        ("{{topic}} stays", {}, "{topic} stays"),
        ('{"json": [1]} {0} {a b} {}', {}, '{"json": [1]} {0} {a b} {}'),
        ("{n} {list} {none}", {"n": 3, "list": ["ü"], "none": None}, '3 ["ü"] null'),
        ("{a}", {"a": "{b}", "b": "never"}, "{b}"),
        ("{a.__class__} {a[0]}", {"a": "x"}, "{a.__class__} {a[0]}"),
    ],
)
def test_placeholders_are_filled(template: str, variables: dict[str, Any], filled: str) -> None:
    assert fill(template, variables) == filled


def test_placeholders_without_a_value_are_named_and_not_tried_again() -> None:
    with pytest.raises(NonRetryableError, match=r"no value for \{place\}, \{topic\}: give it"):
        fill("{topic} in {place} {known}", {"known": 1})
