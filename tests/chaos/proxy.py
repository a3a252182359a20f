"""A proxy in front of a server, that loses, delays and cuts what passes through it."""

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

FAULTS = (
    "cut",  # every connection ends now
    "away",  # every connection ends, and none is taken for a while
    "cut-before",  # the next request is lost, its connection ends
    "cut-after",  # the next request arrives, its answer is lost, its connection ends
    "swallow",  # nothing passes for a while, and nobody is told
    "delay",  # every message takes 200 ms for a while
    "half-close",  # the server's side seems to have ended; the connection stays
)


class Proxy:
    """Listens on a port of loopback, and passes everything on to a Unix socket or a port."""

    def __init__(self, upstream: Path | int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._mode = "pass"
        self._until = 0.0
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._listener.close()
        self._cut_all()

    def inject(self, fault: str, seconds: float = 3.0) -> None:
        """Begin a fault of `FAULTS`; those that last end after some seconds."""
        assert fault in FAULTS, fault
        if fault == "cut":
            self._cut_all()
        elif fault == "half-close":
            with self._lock:
                for client, _ in self._pairs:
                    with suppress(OSError):
                        client.shutdown(socket.SHUT_WR)
        else:
            self._mode, self._until = fault, time.monotonic() + seconds
        if fault == "away":
            self._cut_all()

    def _now(self) -> str:
        if self._mode != "pass" and time.monotonic() > self._until:
            self._mode = "pass"
        return self._mode

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._now() == "away":
                _reset(client)
                continue
            try:
                server = self._connect()
            except OSError:
                _reset(client)
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            for source, target, is_request in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, target, pair, is_request), daemon=True
                ).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._upstream, int):
            return socket.create_connection(("127.0.0.1", self._upstream))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._upstream))
        except OSError:
            server.close()
            raise
        return server

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        pair: tuple[socket.socket, socket.socket],
        is_request: bool,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self._passes(target, data, is_request):
                    break
        self._cut(pair)

    def _passes(self, target: socket.socket, data: bytes, is_request: bool) -> bool:
        """Pass a message on as the present fault has it; False: the connection ends."""
        mode = self._now()
        if mode == "swallow":
            while self._now() == "swallow":
                time.sleep(0.05)
            return False  # what was swallowed is lost, and a stream with a gap is of no use
        if mode == "delay":
            time.sleep(0.2)
        if mode == "cut-before" and is_request:
            self._mode = "pass"
            return False
        target.sendall(data)
        if mode == "cut-after" and is_request:
            self._mode = "pass"
            time.sleep(0.05)  # the server has time to act on it
            return False
        return True

    def _cut_all(self) -> None:
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._cut(pair)

    def _cut(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            _reset(each)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
