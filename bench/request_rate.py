"""How many requests a second a server answers that is never left without one."""

import select
import socket
import time

CONNECTIONS = 16
READ_BYTES = 262_144


class Asker:
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._requests = requests
        self._received = b""
        self.answers = 0

    def ask(self) -> None:
        """Send the next request."""
        self._received = b""
        self.socket.sendall(self._requests[self.answers % len(self._requests)])

    def read(self) -> None:
        """Take what came; ask again once the answer is whole."""
        data = self.socket.recv(READ_BYTES)
        assert data, "the server closed the connection"
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            assert head.startswith(b"HTTP/1.1 200"), head
            self.answers += 1
            self.ask()


def requests_per_second(port: int, paths: list[str], seconds: float) -> float:
    """Ask for paths in turn, on several connections at once."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
    askers = {each.socket.fileno(): each for each in _connect(port, requests)}
    began = time.perf_counter()
    with select.epoll() as poll:
        for number, asker in askers.items():
            poll.register(number, select.EPOLLIN)
            asker.ask()
        while time.perf_counter() < began + seconds:
            for number, _ in poll.poll(0.1):
                askers[number].read()
    spent = time.perf_counter() - began
    for asker in askers.values():
        asker.socket.close()
    return sum(asker.answers for asker in askers.values()) / spent


def _connect(port: int, requests: list[bytes]) -> list[Asker]:
    return [Asker(port, requests) for _ in range(CONNECTIONS)]


def _content_length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    [length] = [line.split(b":")[1] for line in lines if line.startswith(b"content-length:")]
    return int(length)
