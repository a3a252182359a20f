"""The web process: gunicorn with one gevent worker, for REST and WebSocket together."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from neonhub.config import Settings, require_redis_url
from neonhub.startup import run_process

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS_BESIDE_SOCKETS = 1000
"""Requests that can be open at once besides all WebSocket clients."""


def main(settings: Settings) -> None:
    """Become gunicorn.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    require_redis_url(settings)
    # A module that cannot be imported stops the start. Loaded only now: the first process of a
    # system runs gunicorn in a fork, and must not have loaded agents before.
    import_module("neonhub.agents").AgentManager(settings.agent_modules)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    os.execve(sys.executable, gunicorn_command(settings), os.environ | {"PYTHONPATH": path})


def gunicorn_command(settings: Settings, listening: Sequence[int] = ()) -> list[str]:
    """Return the command line that serves the application.

    Args:
        listening: Open files it inherits that are listening sockets; none: it opens its own.
    """
    connections = settings.ws_max_clients + CONNECTIONS_BESIDE_SOCKETS
    command = [sys.executable, "-m", "gunicorn"]
    command += ["--config", str(ROOT / "neonhub" / "api" / "gunicorn_conf.py")]
    command += ["--worker-connections", str(connections)]
    for address in [f"fd://{number}" for number in listening] or _addresses(settings):
        command += ["--bind", address]
    return [*command, "wsgi:app"]


def run_gunicorn(command: Sequence[str]) -> None:
    """Be in this process what a command line of `gunicorn_command` starts."""
    sys.argv = ["gunicorn", *command[3:]]
    import_module("gunicorn.app.wsgiapp").run()


def _addresses(settings: Settings) -> list[str]:
    host = f"[{settings.host}]" if ":" in settings.host.strip("[]") else settings.host
    ports = (settings.port, settings.prometheus_port)
    return [f"{host}:{port}" for port in ports if port is not None]


if __name__ == "__main__":
    run_process("web", main)
