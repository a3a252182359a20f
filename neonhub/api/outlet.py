"""Sends to one client: at once while it takes what comes, else from a thread of its own."""

import os
import select
import socket
import threading
from collections.abc import Callable

SEND_SECONDS = 30.0
"""A client that takes nothing for so long is dropped."""

WRITE_SECONDS = 0.5
"""How long a last frame waits for one that is just being written; it takes microseconds."""


class Outlet:
    """Writes whole frames in their order, whoever asks for it.

    Whoever adds a frame asks; nearly always the kernel takes it at once, and no thread has to wait
    or be woken. Only what a slow client leaves is sent by a thread, until nothing is left.
    """

    __slots__ = (
        *("_is_asked", "_is_over", "_is_slow", "_on_sent", "_rest", "_sending", "_socket", "_take"),
    )

    def __init__(
        self, inner: socket.socket, take: Callable[[], bytes | None], on_sent: Callable[[], None]
    ) -> None:
        """
        Args:
            inner: A socket with a timeout, for then its file never blocks.
            take: Gives the next frame, or None.
            on_sent: Called for every frame that went out.
        """
        self._socket = inner
        self._take = take
        self._on_sent = on_sent
        self._sending = threading.Lock()  # whoever holds it writes, and nobody else
        self._rest = b""  # of a frame that went out in part
        self._is_asked = False
        self._is_over = False
        self._is_slow = False  # whoever writes waits for the client

    def flush(self) -> None:
        """Send what waits; what the client does not take at once is sent later."""
        self._is_asked = True
        # Whoever holds the lock may have seen nothing before we came: it looks again.
        while self._is_asked and self._sending.acquire(blocking=False):
            self._is_asked = False
            if self._send():
                self._sending.release()
            else:
                self._is_slow = True
                threading.Thread(target=self._send_slowly, name="outlet", daemon=True).start()

    def close(self, frame: bytes) -> None:
        """Send a last frame, unless the client takes nothing, which would not take that either."""
        # Whoever writes to a client that takes it has done so in a moment.
        if not self._is_slow and self._sending.acquire(timeout=WRITE_SECONDS):
            try:
                self._take, self._rest = _nothing, self._rest + frame
                self._send()
                self._is_over = True
            finally:
                self._sending.release()
            self._shut(socket.SHUT_WR)
        else:
            self.shut()

    def shut(self) -> None:
        """End the connection, whoever waits for it."""
        self._is_over = True
        self._shut(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the socket; its number may be another's at once, so nobody may be writing."""
        self.shut()
        with self._sending:
            self._socket.close()

    @property
    def is_over(self) -> bool:
        """Whether nothing is sent any more."""
        return self._is_over

    def _send(self) -> bool:
        """Write until nothing waits, or False if the client takes no more at present."""
        while not self._is_over:
            frame = self._rest or self._take()
            if frame is None:
                return True
            try:
                written = os.write(self._socket.fileno(), frame)
            except BlockingIOError:
                written = 0
            except OSError:
                self.shut()
                return True
            self._rest = frame[written:]
            if self._rest:
                return False
            self._on_sent()
        return True

    def _send_slowly(self) -> None:
        try:
            while not self._send():
                if not self._wait():
                    self.shut()
        finally:
            self._is_slow = False
            self._sending.release()
        self.flush()

    def _wait(self) -> bool:
        """Wait until the client takes more, or False if it does not for long."""
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(SEND_SECONDS * 1000))

    def _shut(self, how: int) -> None:
        try:
            self._socket.shutdown(how)
        except OSError:
            return  # it has ended already


def _nothing() -> None:
    """Nothing waits any more."""
