"""Many WebSocket clients in one thread, made cheap: they share the machine with the server."""

import resource
import select
import socket
import time
from collections.abc import Callable
from typing import Self

from tests.e2e.raw_socket import CLOSE, PING, PONG, TEXT, frame

AT_ONCE = 200
"""Handshakes that are on their way at the same time."""

PATIENCE_SECONDS = 30.0
OWN_FILES = 200
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SUBSCRIBE = frame(b'{"action":"subscribe","events":["agent:progress"]}')


class Member:
    """One client: what it has received and not yet read."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.sendall(HANDSHAKE)
        self._is_greeted = False
        self._received = b""

    def texts(self) -> list[bytes]:
        """The messages that are there; pings are answered, and the handshake by subscribing.

        Raises:
            ConnectionError: The server has closed it.
        """
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError
        self._received += data
        if not self._is_greeted:
            self._greet()
        if not self._is_greeted:
            return []
        found, self._received = split_frames(self._received)
        if any(opcode == CLOSE for opcode, _ in found):
            raise ConnectionError
        for opcode, payload in found:
            if opcode == PING:
                self.socket.sendall(frame(payload, PONG))
        return [payload for opcode, payload in found if opcode == TEXT]

    def _greet(self) -> None:
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if found:
            assert b" 101 " in head, head
            self._is_greeted, self._received = True, rest
            self.socket.sendall(SUBSCRIBE)


class Crowd:
    """Subscribed clients; a context manager that closes them."""

    def __init__(self, port: int, size: int) -> None:
        allow_open_files(size + OWN_FILES)
        self._port = port
        self._members: dict[int, Member] = {}
        self._poll = select.epoll()
        while missing := size - len(self._members):
            self._join(min(missing, AT_ONCE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members.values():
            member.socket.close()
        self._poll.close()

    def hear(self, word: bytes, *, since: float, seconds: float = 10.0) -> list[float]:
        """Wait until each client has a message with this word in it.

        Args:
            since: The instant the message was sent at, on `time.perf_counter`.
            seconds: When to stop waiting.

        Returns:
            Milliseconds each waited that was served.
        """
        waited: list[float] = []

        def take(member: Member) -> None:
            if any(word in text for text in member.texts()):
                waited.append((time.perf_counter() - since) * 1000)

        self._read(take, lambda: len(waited) >= len(self._members), seconds)
        return waited

    def _join(self, count: int) -> None:
        """Let some more in, until the subscription of each is answered."""
        newcomers = [Member(self._port) for _ in range(count)]
        for member in newcomers:
            self._members[member.socket.fileno()] = member
            self._poll.register(member.socket, select.EPOLLIN)
        answered: list[Member] = []

        def follow(member: Member) -> None:
            if any(b'"subscribed"' in text for text in member.texts()):
                answered.append(member)

        self._read(follow, lambda: len(answered) == count, PATIENCE_SECONDS)
        assert len(answered) == count, f"{count - len(answered)} got no answer"

    def _read(
        self, take: Callable[[Member], None], is_done: Callable[[], bool], seconds: float
    ) -> None:
        deadline = time.perf_counter() + seconds
        while not is_done() and time.perf_counter() < deadline:
            for number, _ in self._poll.poll(0.1, 1000):
                try:
                    take(self._members[number])
                except ConnectionError:
                    self._members.pop(number).socket.close()


def allow_open_files(wanted: int) -> None:
    """Raise this process's soft limit where it is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def split_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames, as opcode and payload, and what is left; RFC 6455, section 5.2."""
    frames, at = [], 0
    while len(data) - at >= 2:
        length, start = data[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
        if len(data) < start + length:
            break
        frames.append((data[at] & 0x0F, data[start : start + length]))
        at = start + length
    return frames, data[at:]
