"""Runs a Redis-compatible server of our own in the data folder, for a machine without one."""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from neonhub.errors import ConfigError
from neonhub.process import die_with_parent, is_alive
from neonhub.redis.server_binary import ServerBinary, find_server_binary

MAX_SOCKET_PATH_BYTES = 100
START_SECONDS = 60
"""A long append-only file takes its time to load."""
POLL_SECONDS = 0.01
ANSWER_SECONDS = 1.0


def _is_fit_for_socket(path: Path) -> bool:
    """RQ's workers end at a space in the socket's path, which CLIENT INFO repeats as it is."""
    is_plain = not any(char.isspace() for char in str(path))
    return is_plain and len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES


RUNNING = "running.json"
"""In the server's folder: its process, its owner's, and its URL."""


def running_url(folder: Path) -> str | None:
    """The URL of the server that runs on a folder, if one does."""
    known = _running(folder)
    return known["url"] if known and is_alive(known["server"]) else None


def _running(folder: Path) -> dict[str, Any] | None:
    try:
        known: dict[str, Any] = json.loads((folder / RUNNING).read_text())
    except (OSError, ValueError):
        return None
    return known


class EmbeddedServer:
    """One server, its folder and its lock; starts again after a crash with the same URL."""

    def __init__(self, folder: Path, *, lock_wait_seconds: float = 10) -> None:
        """Choose the address; nothing starts yet.

        Args:
            folder: Where the server keeps its data; made if missing.
            lock_wait_seconds: How long `start` waits for a server that is still ending there.
        """
        self.folder = folder.absolute()
        self._lock_wait_seconds = lock_wait_seconds
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = self.folder / "redis.sock"
        self._port = 0
        self._password = ""  # nosec B105
        if not _is_fit_for_socket(self._socket):
            self._port = _free_port()
            self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The REDIS_URL of this server."""
        if self._port:
            return f"redis://:{self._password}@127.0.0.1:{self._port}/0"
        return f"unix://{quote(str(self._socket))}"

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running program; None before `start` and after `stop`."""
        return self._process

    def has_ended(self) -> bool:
        """Whether the server was started and has died since."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> str:
        """Start the server and wait until it answers; call it from the main thread.

        Returns:
            The URL to reach it at.

        Raises:
            ConfigError: Another process uses the folder, another kind of server wrote it, or
                the server did not come up.
        """
        binary = find_server_binary()
        self._prepare_folder()
        self._take_lock()
        try:
            _check_written_by(self.folder, binary)
            self._process = self._launch(binary)
            self._write_owner()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self, *, timeout_seconds: float = 5) -> None:
        """Let the server write what it has and end; kill it after the timeout."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def forget(self) -> None:
        """Let go of the server's lock in a forked child, which is not to outlive it."""
        if self._lock is not None:
            self._lock.close()

    def _prepare_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"The folder '{self.folder}' cannot be made: {error}.") from error

    def _take_lock(self) -> None:
        # The server inherits the lock, so it outlives a parent that was killed for just as long
        # as its server does.
        if self._lock is None:
            self._lock = (self.folder / "lock").open("a+")
        deadline = time.monotonic() + self._lock_wait_seconds
        while not _try_lock(self._lock):
            self._end_orphan()
            if time.monotonic() > deadline:
                self._lock.close()
                self._lock = None
                raise ConfigError(
                    f"The data folder '{self.folder}' is in use by another NeonHub: stop that one, "
                    "or set NEONHUB_DATA_DIR to another folder."
                )
            time.sleep(POLL_SECONDS)

    def _launch(self, binary: ServerBinary) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        with (self.folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [binary.path, "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[self._lock.fileno()],
                start_new_session=True,  # Ctrl-C on the terminal is for its parent to handle
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM),
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(self._configuration().encode())
        return process

    def _configuration(self) -> str:
        # Handed over on stdin, so that no other user reads the password off the command line.
        options: dict[str, Any] = {
            "bind": "127.0.0.1",
            "port": self._port,
            "dir": _quoted(str(self.folder)),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "hz": 2,  # it looks after itself twice a second, not ten times: nothing here needs more
            # Under its old name, which every server knows. A job's call is longer than the default
            # of 64: its hash takes half the memory this way.
            "hash-max-ziplist-value": 128,
        }
        if self._port:
            options["requirepass"] = self._password
        else:
            options |= {"unixsocket": _quoted(str(self._socket)), "unixsocketperm": 700}
        return "".join(f"{name} {value}\n" for name, value in options.items())

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ConfigError(f"The embedded server did not start: {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        """Whether it takes commands; asked without the client, which takes 6 MB."""
        family = socket.AF_INET if self._port else socket.AF_UNIX
        address = ("127.0.0.1", self._port) if self._port else str(self._socket)
        try:
            with socket.socket(family) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(address)
                return self._ping(connection) == b"+PONG\r\n"
        except OSError:
            return False

    def _ping(self, connection: socket.socket) -> bytes:
        with connection.makefile("rwb") as stream:
            if self._password:
                stream.write(f"AUTH {self._password}\r\n".encode())
            stream.write(b"PING\r\n")
            stream.flush()
            if self._password:
                stream.readline()
            return stream.readline()

    def _last_words(self) -> str:
        lines = (self.folder / "server.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."

    def _write_owner(self) -> None:
        assert self._process is not None
        known = {"server": self._process.pid, "owner": os.getpid(), "url": self.url}
        path = self.folder / RUNNING
        path.touch(mode=0o600)
        path.write_text(json.dumps(known))

    def _end_orphan(self) -> None:
        # Only where the kernel does not end a server with its parent, such as macOS.
        known = _running(self.folder)
        if known and not is_alive(known["owner"]):
            with suppress(ProcessLookupError):
                os.kill(known["server"], signal.SIGTERM)


def _check_written_by(folder: Path, binary: ServerBinary) -> None:
    record = folder / "written-by.json"
    if record.exists():
        before = json.loads(record.read_text())
        if before["kind"] != binary.kind or before["major"] > binary.major:
            raise ConfigError(
                f"The folder '{folder}' was written by {before['kind']} {before['major']} and "
                f"cannot be read by {binary.kind} {binary.version}: install that server, set "
                "REDIS_URL, or remove the folder (the database keeps all that matters)."
            )
    record.write_text(json.dumps({"kind": binary.kind, "major": binary.major}))


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
