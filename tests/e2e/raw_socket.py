"""A WebSocket client that can do what no library would: broken frames, silence, floods."""

import json
import os
import socket
import struct
from typing import Any, Self

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
FIN = 0x80


def frame(payload: bytes, opcode: int = TEXT, *, head: int = FIN, is_masked: bool = True) -> bytes:
    """One frame as RFC 6455, section 5.2 has it.

    Args:
        head: The bits FIN and RSV.
    """
    length = len(payload)
    if length < 126:
        size = bytes([length])
    elif length < 65_536:
        size = b"\x7e" + struct.pack("!H", length)
    else:
        size = b"\x7f" + struct.pack("!Q", length)
    if not is_masked:
        return bytes([head | opcode]) + size + payload
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return bytes([head | opcode, size[0] | 0x80]) + size[1:] + mask + masked


class RawSocket:
    """A connection after its handshake."""

    def __init__(self, port: int, *, headers: str = "", buffer: int | None = None) -> None:
        """
        Args:
            headers: More of them, each ended by CRLF.
            buffer: Bytes the kernel may keep for us; None: its default.
        """
        self.raw = socket.socket()
        if buffer is not None:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.raw.settimeout(10)
        self.raw.connect(("127.0.0.1", port))
        self.raw.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            + headers.encode()
            + b"\r\n"
        )
        self.reader = self.raw.makefile("rb")
        self.answer = b""
        while (line := self.reader.readline()) not in (b"\r\n", b""):
            self.answer += line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.raw.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.raw.sendall(data)

    def say(self, **message: Any) -> None:
        """Send a message as a client should."""
        self.send(frame(json.dumps(message).encode()))

    def read(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload.

        Raises:
            ConnectionError: There is none, the connection has ended.
        """
        head = self.reader.read(2)
        if len(head) < 2:
            raise ConnectionError("the connection has ended")
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.reader.read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.reader.read(8))[0]
        return head[0] & 0x0F, self.reader.read(length)

    def hear(self) -> Any:
        """The next message."""
        opcode, payload = self.read()
        while opcode == PING:
            opcode, payload = self.read()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)

    def close_code(self) -> int | None:
        """Read on to the end: the code of the closing frame; None where there was none."""
        try:
            while True:
                opcode, payload = self.read()
                if opcode == CLOSE:
                    return int(struct.unpack("!H", payload[:2])[0]) if payload else None
        except ConnectionError:
            return None
