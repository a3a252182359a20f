"""The protocol of one WebSocket: the handshake's answer, messages in, pings, and the end."""

import base64
import hashlib
import re
import socket
import time
from collections.abc import Callable, Iterator

from werkzeug import Request
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from neonhub.api.outlet import Outlet
from neonhub.events.frames import close_frame, ping_frame, pong_frame

RECEIVE_BYTES = 4096
LINGER_SECONDS = 2.0
"""How long what a client still sends is taken in after the close; it may not have read that yet."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455, section 1.3


def is_handshake(request: Request) -> bool:
    """Whether a request opens a WebSocket of version 13."""
    key = request.headers.get("Sec-WebSocket-Key", "")
    return (
        request.method == "GET"
        and request.headers.get("Sec-WebSocket-Version") == "13"
        and re.fullmatch(r"[A-Za-z0-9+/]{22}==", key) is not None
    )


def handshake_answer(key: str) -> bytes:
    """Agree to a handshake, and to no extension.

    Compression would take 300 kB for each client, and compress each event once for each of them.
    """
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    accept = base64.b64encode(digest).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


class WebSocket:
    """One client's connection, from the handshake's answer to its end."""

    def __init__(
        self,
        inner: socket.socket,
        outlet: Outlet,
        answer: Callable[[bytes], None],
        *,
        max_bytes: int,
    ) -> None:
        """
        Args:
            inner: A client silent for as long as its timeout is pinged, for twice as long dropped.
            outlet: Sends over the same socket.
            answer: Queues a frame for the client.
            max_bytes: Of one message; more are refused with 1009.
        """
        self._socket = inner
        self._outlet = outlet
        self._answer = answer
        self._max_bytes = max_bytes
        self._protocol = Connection(ConnectionType.SERVER)
        self._parts: list[str | bytes | bytearray] = []  # of a message whose end has not come
        self._size = 0

    def messages(self) -> Iterator[str | bytes]:
        """What the client says, until it closes, is gone, or is closed for breaking a rule."""
        while not self._outlet.is_over and (data := self._receive()):
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, TextMessage | BytesMessage):
                    if self._is_whole(event):
                        yield self._whole()
                elif isinstance(event, Ping):
                    self._answer(pong_frame(bytes(event.payload)))
                elif isinstance(event, CloseConnection):
                    # Its own close, or what broke the protocol: either is answered with its code.
                    self._outlet.close(self._protocol.send(event.response()))
                if self._outlet.is_over:
                    return
            time.sleep(0)  # one who never stops sending leaves turns for the others

    def close(self, code: int, reason: str = "") -> None:
        """Close it with a code and a reason."""
        self._outlet.close(close_frame(code, reason))

    def linger(self) -> None:
        """Take in what the client still sends: closed with that unread, it may miss the close."""
        until = time.monotonic() + LINGER_SECONDS
        try:
            while (left := until - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(RECEIVE_BYTES):
                    return
                time.sleep(0)
        except OSError:
            return

    def _receive(self) -> bytes:
        """What comes next; nothing if the client is gone."""
        is_asked = False
        while True:
            try:
                return self._socket.recv(RECEIVE_BYTES)
            except TimeoutError:
                if is_asked:
                    self.close(CloseReason.POLICY_VIOLATION, "nobody answers")
                    return b""
                is_asked = True
                self._answer(ping_frame())
            except OSError:
                return b""

    def _is_whole(self, event: TextMessage | BytesMessage) -> bool:
        self._parts.append(event.data)
        data = event.data
        self._size += len(data.encode() if isinstance(data, str) else data)
        if self._size > self._max_bytes:
            self.close(CloseReason.MESSAGE_TOO_BIG, "the message is too long")
            return False
        return event.message_finished

    def _whole(self) -> str | bytes:
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(parts[0], str):
            return "".join(part for part in parts if isinstance(part, str))
        return b"".join(part for part in parts if not isinstance(part, str))
