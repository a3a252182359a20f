"""The command line the web process becomes."""

import sys
from itertools import pairwise

import pytest

from neonhub.config import load_settings
from workers.web import CONNECTIONS_BESIDE_SOCKETS, ROOT, gunicorn_command


def binds(command: list[str]) -> list[str]:
    """What gunicorn is told to listen on."""
    return [word for flag, word in pairwise(command) if flag == "--bind"]


def test_it_serves_the_application_with_the_projects_configuration() -> None:
    command = gunicorn_command(load_settings({}))
    assert command[:3] == [sys.executable, "-m", "gunicorn"]
    assert command[-1] == "wsgi:app"
    assert str(ROOT / "neonhub" / "api" / "gunicorn_conf.py") in command


def test_requests_have_room_beside_all_websocket_clients() -> None:
    command = gunicorn_command(load_settings({"NEONHUB_WS_MAX_CLIENTS": "10"}))
    room = command[command.index("--worker-connections") + 1]
    assert int(room) == 10 + CONNECTIONS_BESIDE_SOCKETS


@pytest.mark.parametrize(
    ("host", "bind"), [("127.0.0.1", "127.0.0.1:5000"), ("::1", "[::1]:5000"), ("h", "h:5000")]
)
def test_alone_it_listens_where_the_settings_say(host: str, bind: str) -> None:
    assert binds(gunicorn_command(load_settings({"HOST": host}))) == [bind]


def test_metrics_may_have_a_port_of_their_own() -> None:
    settings = load_settings({"PROMETHEUS_PORT": "9464"})
    assert binds(gunicorn_command(settings)) == ["127.0.0.1:5000", "127.0.0.1:9464"]


def test_sockets_that_are_open_are_taken_over() -> None:
    assert binds(gunicorn_command(load_settings({}), [5, 7])) == ["fd://5", "fd://7"]
