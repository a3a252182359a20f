"""A small web server that answers as a test tells it, and remembers what it was asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_stuck: bool = False  # send nothing after the first byte of the body

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Reply":
        """A JSON answer."""
        return cls(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


class Web:
    """Answers `replies[path]`; `path` without the query."""

    def __init__(self, server: ThreadingHTTPServer | None = None) -> None:
        self.replies: dict[str, Reply | Callable[[Seen], Reply]] = {}
        self.seen: list[Seen] = []
        self.is_reached = Event()  # a request for a stuck reply has come
        self.is_released = Event()
        self._server = server or ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.web = self  # type: ignore[attr-defined]
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str, *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """The address of a path here."""
        return f"{scheme}://{host}:{self.port}{path}"

    def start(self) -> None:
        """Serve until `stop`."""
        self._thread.start()

    def once_reached(self, do: Callable[[], None]) -> Thread:
        """Do something when a request for a stuck reply has come; returns the waiting thread."""

        def wait_and_do() -> None:
            self.is_reached.wait()
            do()

        thread = Thread(target=wait_and_do)
        thread.start()
        return thread

    def stop(self) -> None:
        """Let stuck answers go, and end."""
        self.is_released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client went away, as some tests want

    def _reply(self) -> None:
        web: Web = self.server.web  # type: ignore[attr-defined]
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, self.rfile.read(length))
        web.seen.append(seen)
        reply = web.replies.get(self.path.partition("?")[0], Reply(b"not here", 404))
        self._send(web, reply if isinstance(reply, Reply) else reply(seen))

    def _send(self, web: Web, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.is_stuck:
            self.wfile.write(reply.body[:1])
            web.is_reached.set()
            web.is_released.wait()
        elif self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _reply

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
