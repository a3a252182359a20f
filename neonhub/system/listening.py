"""Takes what only one system may have: a port, a data folder."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from neonhub.errors import ConfigError

BACKLOG = 2048


def listen(name: str, host: str, port: int) -> socket.socket:
    """Open a listening socket that a restarted web process finds open again.

    Args:
        name: The setting the port comes from, for the message.

    Raises:
        ConfigError: The port is taken or the host is not this machine's.
    """
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ConfigError(
            f"{name} is '{port}': must be a port that is free on HOST '{host}' ({reason})."
        ) from error
    return listener


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Keep other systems off the data folder until the file is closed or this process ends.

    Raises:
        ConfigError: Another system runs on it.
    """
    lock = (data_dir / "app.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise ConfigError(
            f"NEONHUB_DATA_DIR is '{data_dir}': must be a folder no other NeonHub runs on; "
            f"process {owner or 'unknown'} does."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
