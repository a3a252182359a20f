"""Names the machine and the versions a run was made with."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from neonhub.redis.server_binary import find_server_binary

PACKAGES = ("neonhub", "rq", "rq-scheduler", "redis", "sqlalchemy", "gevent", "gunicorn")


def describe(postgres_version: str, sqlite_version: str) -> dict[str, str]:
    """What a reader must know to compare numbers: name → text."""
    server = find_server_binary()
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "postgresql": postgres_version,
        "sqlite": sqlite_version,
        server.kind: server.version,
    } | {name: _version(name) for name in PACKAGES}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return "this tree"
