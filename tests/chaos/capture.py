"""A WebSocket client that keeps what it was told, and resumes where it was cut off."""

import json
import threading
import time
from typing import Any, Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


class Capture:
    """Every event told, in the order told, through reconnects with `lastEventId`."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: Of the system, `http://…`.
        """
        self.events: list[dict[str, Any]] = []
        self.resyncs = 0
        self._url = url.replace("http", "ws", 1) + "/ws"
        self._last: str | None = None
        self._stopping = threading.Event()
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._subscribed.wait(20), "no subscription within 20 s"
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (OSError, WebSocketException, TimeoutError):
                time.sleep(0.1)

    def _listen(self) -> None:
        with connect(self._url, open_timeout=3, close_timeout=0.2) as socket:
            hello: dict[str, Any] = {"action": "subscribe"}
            if self._last is not None:
                hello["lastEventId"] = self._last
            socket.send(json.dumps(hello))
            while not self._stopping.is_set():
                try:
                    message = json.loads(socket.recv(timeout=0.2))
                except TimeoutError:
                    continue
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["event"] == "resync_required":
            self.resyncs += 1
            self._last = None
        elif message["event"] == "subscribed":
            self._last = self._last or message["lastEventId"]
            self._subscribed.set()
        elif "id" in message:
            self.events.append(message)
            self._last = message["id"]
