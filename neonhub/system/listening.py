"""Takes what only one system may have: a port, a data folder."""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from neonhub.errors import ConfigError

BACKLOG = 2048
POLL_SECONDS = 0.05
_OF_THE_PORT = {errno.EADDRINUSE, errno.EACCES, errno.EPERM}


def listen(name: str, host: str, port: int, *, wait_seconds: float = 0) -> socket.socket:
    """Open a listening socket that a restarted web process finds open again.

    Args:
        name: The setting the port comes from, for the message.
        wait_seconds: How long to wait for a port that is taken.

    Raises:
        ConfigError: The port is taken, or the host is none of this machine's.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return _bound(host.strip("[]"), port)
        except (OSError, UnicodeError) as error:
            code = error.errno if isinstance(error, OSError) else None
            if code == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                continue
            if code not in _OF_THE_PORT:
                raise ConfigError(
                    f"HOST is '{host}': must be a name or an address of this machine "
                    f"({_reason(error)})."
                ) from error
            raise ConfigError(
                f"{name} is '{port}': must be a port that is free on HOST '{host}' "
                f"({_reason(error)})."
            ) from error


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError):
        listener.close()
        raise
    return listener


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "it is no name of a host"


@dataclass(frozen=True, slots=True)
class DataDirLock:
    """Holds a data folder for one system."""

    file: IO[str]
    was_killed: bool
    """The system before this one was: what it started may be ending still."""


@contextmanager
def lock_data_dir(data_dir: Path) -> Iterator[DataDirLock]:
    """Keep other systems off the data folder.

    Raises:
        ConfigError: Another system runs on it.
    """
    with (data_dir / "app.lock").open("a+") as lock:
        lock.seek(0)
        owner = lock.read().strip()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"NEONHUB_DATA_DIR is '{data_dir}': must be a folder no other NeonHub runs on; "
                f"process {owner or 'unknown'} does."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield DataDirLock(lock, bool(owner))
        finally:
            lock.truncate(0)
