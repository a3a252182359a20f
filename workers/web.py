"""The web process: gunicorn with one gevent worker, for REST and WebSocket together."""

import os
import resource
import sys
from pathlib import Path

from neonhub.agents import AgentManager
from neonhub.config import Settings, require_redis_url
from neonhub.startup import run_process

LISTEN_FDS = "NEONHUB_LISTEN_FDS"
"""Tells this process which of its open files are listening sockets, separated by commas."""

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS_BESIDE_SOCKETS = 1000
"""Requests that can be open at once besides all WebSocket clients."""

OPEN_FILES = 65_536


def main(settings: Settings) -> None:
    """Become gunicorn.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    require_redis_url(settings)
    AgentManager(settings.agent_modules)  # a module that cannot be imported stops the start
    _allow_open_files()
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    os.execve(sys.executable, gunicorn_command(settings), os.environ | {"PYTHONPATH": path})


def gunicorn_command(settings: Settings) -> list[str]:
    """Return the command line that serves the application."""
    connections = settings.ws_max_clients + CONNECTIONS_BESIDE_SOCKETS
    command = [sys.executable, "-m", "gunicorn"]
    command += ["--config", str(ROOT / "neonhub" / "api" / "gunicorn_conf.py")]
    command += ["--worker-connections", str(connections)]
    for address in _addresses(settings):
        command += ["--bind", address]
    return [*command, "wsgi:app"]


def _addresses(settings: Settings) -> list[str]:
    inherited = os.environ.get(LISTEN_FDS)
    if inherited:
        return [f"fd://{number}" for number in inherited.split(",")]
    host = f"[{settings.host}]" if ":" in settings.host.strip("[]") else settings.host
    ports = (settings.port, settings.prometheus_port)
    return [f"{host}:{port}" for port in ports if port is not None]


def _allow_open_files() -> None:
    # Every WebSocket client is an open file, and the usual soft limit is 1024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    run_process("web", main)
