"""The socket under a WebSocket, sending each frame whole or not at all."""

import socket
from threading import Lock
from typing import Any

SEND_SECONDS = 30.0
"""A client that takes nothing for so long is dropped."""


class FrameSocket:
    """What simple-websocket reads from and writes to.

    That library calls `send` and trusts that all went out, from the thread that reads (pongs,
    pings, closes) and the one that writes (messages). To a slow client a part may go out, and
    frames may mix. Here each call goes out whole and alone, or the connection ends.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._sending = Lock()
        inner.settimeout(SEND_SECONDS)

    def send(self, data: bytes) -> int:
        """Send everything.

        Raises:
            OSError: The client is gone, or takes nothing any more; the connection is closed.
        """
        with self._sending:
            try:
                self._inner.sendall(data)
            except OSError:
                self.shut()
                raise
        return len(data)

    @property
    def is_sending(self) -> bool:
        """Whether something is on its way out, and perhaps stuck."""
        return self._sending.locked()

    def shut(self) -> None:
        """End the connection, whoever waits for it."""
        try:
            self._inner.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def prepare(environ: dict[str, Any]) -> None:
    """Put a `FrameSocket` where simple-websocket looks for a request's socket.

    Compression is not negotiated: it would take 300 kB for each client, and compress each event
    once for each of them.
    """
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    for key in ("gunicorn.socket", "werkzeug.socket"):
        if key in environ:
            environ[key] = FrameSocket(environ[key])
