"""The kind `prompt` with the real SDKs, against a server that speaks their protocols."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from neonhub.agents import ExecutionOptions, NonRetryableError
from neonhub.agents.prompt import PromptAgent
from neonhub.agents.providers import ProviderAway
from tests.integration.agents.web import Reply, Seen, Web
from tests.unit.agents.test_base import Recorded

OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"
PATHS = {"openai": OPENAI, "anthropic": ANTHROPIC}


def openai_answer(seen: Seen) -> Reply:
    """A chat completion that repeats the last message."""
    asked = json.loads(seen.body)
    message = {"role": "assistant", "content": "You said: " + asked["messages"][-1]["content"]}
    return Reply.json(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": asked["model"] + "-dated",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        }
    )


def anthropic_answer(seen: Seen) -> Reply:
    """A message that repeats the last one, in two blocks."""
    asked = json.loads(seen.body)
    said = asked["messages"][-1]["content"]
    blocks = [{"type": "text", "text": "You said: "}, {"type": "text", "text": said}]
    return Reply.json(
        {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": asked["model"] + "-dated",
            "content": blocks,
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 4},
        }
    )


@pytest.fixture
def models(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A server that speaks both protocols, and a key for each."""
    monkeypatch.setenv("OPENAI_API_KEY", "key-o")
    monkeypatch.setenv("OPENAI_BASE_URL", web.url("/v1"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-a")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", web.url(""))
    web.replies |= {OPENAI: openai_answer, ANTHROPIC: anthropic_answer}
    return web


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    """Each provider in turn."""
    return str(request.param)


def ask(**config: Any) -> Any:
    """Run an agent of kind `prompt`."""
    return PromptAgent().execute({"prompt": "hi", **config})


def test_openai_answers(models: Web) -> None:
    result = ask(provider="openai", model="gpt-test", prompt="Hello {name}", name="Ada")
    assert result == {
        "provider": "openai",
        "model": "gpt-test-dated",
        "text": "You said: Hello Ada",
        "finishReason": "stop",
        "usage": {"inputTokens": 3, "outputTokens": 4},
    }


def test_anthropic_answers(models: Web) -> None:
    result = ask(provider="anthropic", model="claude-test", variables={"name": "Ada"})
    assert result == {
        "provider": "anthropic",
        "model": "claude-test-dated",
        "text": "You said: hi",
        "finishReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 4},
    }


def test_openai_gets_key_system_and_settings(models: Web) -> None:
    ask(provider="openai", system="Be {tone}.", tone="brief", maxTokens=9, temperature=0.5)
    (seen,) = models.seen
    body = json.loads(seen.body)
    assert seen.headers["authorization"] == "Bearer key-o"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["max_completion_tokens"], body["temperature"]) == (9, 0.5)


def test_anthropic_gets_key_system_and_settings(models: Web) -> None:
    ask(provider="anthropic", system="Be {tone}.", tone="brief", maxTokens=9, temperature=0.5)
    (seen,) = models.seen
    body = json.loads(seen.body)
    assert seen.headers["authorization"] == "Bearer key-a"
    assert (body["system"], body["max_tokens"], body["temperature"]) == ("Be brief.", 9, 0.5)


def test_what_is_not_set_is_not_sent(models: Web, provider: str) -> None:
    ask(provider=provider)
    body = json.loads(models.seen[0].body)
    assert {"temperature", "system"} & body.keys() == set()
    assert len(body["messages"]) == 1
    assert body["model"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_asked_once_and_not_tried_again(
    models: Web, provider: str, status: int
) -> None:
    models.replies[PATHS[provider]] = Reply.json({"error": {"message": "no such thing"}}, status)
    with pytest.raises(NonRetryableError, match=f"{provider} answered {status}: .*no such thing"):
        ask(provider=provider)
    assert len(models.seen) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 529])
def test_a_failure_is_asked_once_and_left_to_the_sessions_retries(
    models: Web, provider: str, status: int
) -> None:
    models.replies[PATHS[provider]] = Reply.json({"error": {"message": "later"}}, status)
    with pytest.raises(ProviderAway, match=f"{provider} answered {status}"):
        ask(provider=provider)
    assert len(models.seen) == 1


def test_a_server_that_is_away_is_tried_again(
    models: Web, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(ProviderAway, match=f"{provider} could not be reached"):
        ask(provider=provider)


def stuck(models: Web, provider: str) -> None:
    """Make a provider never finish its answer."""
    models.replies[PATHS[provider]] = Reply(b"{}", is_stuck=True)


def test_an_answer_must_come_before_the_sessions_own_timeout(models: Web, provider: str) -> None:
    stuck(models, provider)
    agent = PromptAgent()
    agent.bind(options=ExecutionOptions(timeout_seconds=0.5))
    with pytest.raises(ProviderAway, match=r"no answer within 0\.45 seconds|reached"):
        agent.execute({"prompt": "hi", "provider": provider})


def test_a_stop_does_not_wait_for_the_answer(models: Web, provider: str) -> None:
    stuck(models, provider)
    agent = PromptAgent()
    stopper = models.once_reached(agent.stop)
    assert agent.execute({"prompt": "hi", "provider": provider}) == {"stopped": True}
    stopper.join()


@pytest.fixture
def told() -> Callable[..., Recorded]:
    """Runs an agent and returns what it reported."""

    def run(**config: Any) -> Recorded:
        recorded, agent = Recorded(), PromptAgent()
        agent.bind(reporter=recorded)
        agent.execute({"prompt": "hi", **config})
        return recorded

    return run


def test_an_answer_is_logged_without_its_text(models: Web, told: Callable[..., Recorded]) -> None:
    recorded = told(provider="openai")
    ((kind, message, data, level),) = recorded.lines
    assert (kind, message, level) == ("completion", "openai answered.", "info")
    assert data["usage"] == {"inputTokens": 3, "outputTokens": 4}
    assert "text" not in data
    assert recorded.messages == ["asking openai"]


def test_an_offline_answer_is_logged_as_a_warning(told: Callable[..., Recorded]) -> None:
    ((_, message, _, level),) = told(provider="offline").lines
    assert (message, level) == ("The provider is set to offline: no model was asked.", "warning")
