"""What containers ask to see whether their process lives."""

import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, Worker

from neonhub.config import Settings, load_settings
from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer
from neonhub.scheduling.heartbeat import Heartbeat
from neonhub.scheduling.timers import Timers
from workers import health
from workers.health import scheduler_is_alive, web_is_alive, workers_are_alive


class Web(BaseHTTPRequestHandler):
    """Answers /healthz as the web process does."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def settings(redis_url: str, redis_connection: Redis) -> Settings:
    return load_settings({"REDIS_URL": redis_url})


@pytest.fixture
def web_settings() -> Iterator[Settings]:
    """Settings of a web process that answers."""
    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield load_settings({"PORT": str(server.server_port)})
        server.shutdown()
        thread.join()


def test_a_web_that_answers_is_alive(web_settings: Settings) -> None:
    assert web_is_alive(web_settings)


def test_a_web_that_answers_otherwise_is_not(
    web_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Web, "status", 500)
    assert not web_is_alive(web_settings)


def test_a_web_that_does_not_answer_is_not_alive() -> None:
    assert not web_is_alive(load_settings({"PORT": "1"}))


def test_a_scheduler_of_this_host_is_alive_until_it_ends(
    settings: Settings, redis_connection: Redis
) -> None:
    heartbeat = Heartbeat(redis_connection, Timers(redis_connection))
    assert not scheduler_is_alive(settings)
    heartbeat.beat(datetime.now(UTC), 1.0)
    assert scheduler_is_alive(settings)
    heartbeat.end()
    assert not scheduler_is_alive(settings)


@pytest.mark.parametrize(("host", "alive"), [(socket.gethostname(), True), ("elsewhere", False)])
def test_workers_of_this_host_are_alive(
    settings: Settings, redis_connection: Redis, host: str, alive: bool
) -> None:
    worker = Worker([Queue("low", connection=redis_connection)], name=f"{host}-1-a")
    worker.register_birth()
    assert workers_are_alive(settings) is alive


@pytest.mark.parametrize("role", ["nonsense", "web"])
def test_the_command_ends_with_a_reason(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["health", role])
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SystemExit, match=r"usage|No sign of life from web"):
        health.main()


def test_the_command_tells_a_missing_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["health", "workers"])
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(SystemExit, match="REDIS_URL is unset"):
        health.main()


def test_a_server_of_our_own_needs_no_setting(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "redis")
    with connect(server.start()) as redis:
        Heartbeat(redis, Timers(redis)).beat(datetime.now(UTC), 1.0)
        assert scheduler_is_alive(load_settings({"NEONHUB_DATA_DIR": str(tmp_path)}))
    server.stop()


def test_the_command_is_silent_about_what_lives(
    web_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["health"])
    monkeypatch.setenv("PORT", str(web_settings.port))
    health.main()
