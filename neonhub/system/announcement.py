"""What a started system says to the person who started it."""

import os
import shlex
import sys
from pathlib import Path

from sqlalchemy.engine import make_url

from neonhub.config import Settings
from neonhub.redis.keys import QUEUES

_SHARED = ("NODE_ENV", "NEONHUB_DATA_DIR", "NEONHUB_AGENT_MODULES", "DATABASE_URL")
"""What a worker of its own terminal needs as well, if it was set for this run."""


def announcement(settings: Settings, redis_url: str, root: Path) -> str:
    """Name the addresses and the line that adds a worker."""
    address = f"{settings.local_host}:{settings.port}"
    return "\n".join(
        (
            "",
            "NeonHub is ready.",
            f"  App         http://{address}/",
            f"  Swagger UI  http://{address}/docs",
            f"  WebSocket   ws://{address}/ws",
            "  One more worker, from this folder:",
            f"    {worker_line(settings, redis_url, root)}",
            "  Ctrl-C ends everything.",
            "",
        )
    )


def worker_line(settings: Settings, redis_url: str, root: Path) -> str:
    """Return the command that starts a stock worker for this run, passwords left to the shell."""
    words = [f"{name}={_value(name)}" for name in _SHARED if os.environ.get(name)]
    if root != Path.cwd():
        words.append(f"PYTHONPATH={shlex.quote(str(root))}")
    words.append(shlex.quote(_rq_program()))
    own_server = settings.redis_url is None
    shown = redis_url if own_server or not make_url(redis_url).password else "$REDIS_URL"
    return " ".join([*words, "worker", "-u", f'"{shown}"', *QUEUES])


def _value(name: str) -> str:
    value = os.environ[name]
    has_password = "://" in value and make_url(value).password
    return f'"${name}"' if has_password else shlex.quote(value)


def _rq_program() -> str:
    program = Path(sys.executable).with_name("rq")
    here = Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else str(program)
