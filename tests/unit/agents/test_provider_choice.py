"""Who answers a prompt."""

import importlib

import pytest

from neonhub.agents import NonRetryableError
from neonhub.agents.providers import ProviderAway, Question, choose
from neonhub.agents.providers.base import failure

OPENAI = {"OPENAI_API_KEY": "k"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "k"}


@pytest.mark.parametrize(
    ("wanted", "model", "env", "chosen"),
    [
        ("auto", None, OPENAI, "openai"),
        ("auto", None, ANTHROPIC, "anthropic"),
        ("auto", None, OPENAI | ANTHROPIC, "openai"),
        ("auto", "claude-haiku-4-5", OPENAI | ANTHROPIC, "anthropic"),
        ("auto", "gpt-5.4-mini", OPENAI | ANTHROPIC, "openai"),
        ("auto", "my-own-model", ANTHROPIC, "anthropic"),
        ("anthropic", None, OPENAI | ANTHROPIC, "anthropic"),
        ("auto", None, {}, "offline"),
        ("auto", "claude-haiku-4-5", {}, "offline"),
        ("auto", None, {"OPENAI_API_KEY": " "}, "offline"),
        ("openai", None, ANTHROPIC, "offline"),
        ("offline", None, OPENAI, "offline"),
    ],
)
def test_config_model_and_keys_decide(
    wanted: str, model: str | None, env: dict[str, str], chosen: str
) -> None:
    assert choose(wanted, model, env).name == chosen


def test_a_model_whose_key_is_missing_is_not_sent_elsewhere() -> None:
    with pytest.raises(NonRetryableError, match="'claude-haiku-4-5' needs ANTHROPIC_API_KEY"):
        choose("auto", "claude-haiku-4-5", OPENAI)


@pytest.mark.parametrize(
    ("wanted", "note"),
    [
        ("auto", "No OPENAI_API_KEY or ANTHROPIC_API_KEY is set"),
        ("anthropic", "No ANTHROPIC_API_KEY is set"),
        ("offline", "set to offline"),
    ],
)
def test_the_offline_answer_says_why(wanted: str, note: str) -> None:
    result = choose(wanted, None, {}).ask(Question(prompt="hi")).as_result()
    assert result["provider"] == "offline"
    assert note in result["note"]


def test_the_offline_answer_is_the_same_each_time() -> None:
    question = Question(prompt="Write a\n poem.")
    first, second = (choose("auto", None, {}).ask(question) for _ in range(2))
    assert first == second
    assert first.text == "[offline answer to a prompt of 3 words] Write a poem."


def test_a_prompt_of_one_word_is_counted_as_one() -> None:
    assert "a prompt of 1 word]" in choose("auto", None, {}).ask(Question(prompt="hi")).text


def test_a_missing_sdk_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError("No module named 'openai'", name="openai")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(
        NonRetryableError, match=r"pip install '\.\[openai\]'` in the folder of NeonHub"
    ):
        choose("openai", None, OPENAI)


@pytest.mark.parametrize("status", [None, 408, 409, 429, 500, 503, 529])
def test_failures_that_may_pass_are_tried_again(status: int | None) -> None:
    assert type(failure("openai", status, "why")) is ProviderAway


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_refusals_are_not_tried_again(status: int) -> None:
    error = failure("openai", status, "why")
    assert type(error) is NonRetryableError
    assert error.message == f"openai answered {status}: why"
