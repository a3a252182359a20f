"""A web server for agents to call."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from neonhub.agents import BaseAgent
from neonhub.agents.http import HttpAgent
from tests.integration.agents.web import Web

Call = Callable[..., Any]


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on loopback; every path is 404 until a test sets it."""
    server = Web()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def private_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback may be called."""
    monkeypatch.setenv("NEONHUB_HTTP_ALLOW_PRIVATE", "true")


@pytest.fixture
def agent(private_allowed: None) -> BaseAgent:
    """An agent of kind `http` that may call loopback."""
    return HttpAgent()


@pytest.fixture
def call(agent: BaseAgent) -> Call:
    """Runs that agent with a URL and more config."""
    return lambda url, **config: agent.execute({"url": url, **config})
