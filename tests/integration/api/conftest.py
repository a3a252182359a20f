"""A client of the application, on both databases and a real Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from neonhub.api.app import create_app
from neonhub.config import load_settings
from neonhub.database import Database
from tests.factories import NOW, add_fleet


@dataclass
class Client:
    """Sends JSON to the application, at an instant tests may move."""

    app: Flask
    database: Database
    redis: Redis
    now: datetime = NOW

    def get(self, path: str, **options: Any) -> Any:
        return self.app.test_client().get(path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.app.test_client().post(path, json=body or {}, **options)

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        return self.app.test_client().patch(path, json=body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.app.test_client().delete(path, **options)


MakeClient = Callable[..., Client]


@pytest.fixture
def make_client(database: Database, redis_url: str, redis_connection: Redis) -> MakeClient:
    """Builds a client with settings of its own."""

    def make(redis: Redis | None = None, **env: str) -> Client:
        settings = load_settings(
            {
                "REDIS_URL": redis_url,
                "NEONHUB_AGENT_MODULES": "tests.agents_for_tests",
                **env,
            }
        )
        client = Client(Flask("none"), database, redis or redis_connection)
        client.app = create_app(settings, database, client.redis, clock=lambda: client.now)
        return client

    return make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    """A client of a system with one agent, `reporter`."""
    made = make_client()
    add_fleet(made.database)
    body = {"id": "reporter", "name": "Reporter", "kind": "echo", "config": {"a": 1}}
    assert made.post("/api/agents", body).status_code == 201
    return made
