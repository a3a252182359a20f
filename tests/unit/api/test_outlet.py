"""What is sent to a client: whole, in order, and never waited for."""

import socket
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from neonhub.api.outlet import Outlet
from tests.waiting import wait_until


class Sent:
    """A client that reads when it is told to, and the outlet that sends to it."""

    def __init__(self) -> None:
        self.ours, self.client = socket.socketpair()
        self.ours.settimeout(5)
        self.client.settimeout(5)
        self.waiting: deque[bytes] = deque()
        self.count = 0
        self.outlet = Outlet(self.ours, self._take, self._count)

    def add(self, *frames: bytes) -> None:
        self.waiting.extend(frames)
        self.outlet.flush()

    def read(self, size: int) -> bytes:
        found = b""
        while len(found) < size and (part := self.client.recv(65_536)):
            found += part
        return found

    def _take(self) -> bytes | None:
        return self.waiting.popleft() if self.waiting else None

    def _count(self) -> None:
        self.count += 1


@pytest.fixture
def sent() -> Iterator[Sent]:
    made = Sent()
    yield made
    made.outlet.release()
    made.client.close()


FRAMES = [bytes([number]) * 100_000 for number in range(50)]
"""More than the kernel keeps for one client."""


def test_what_the_client_takes_is_sent_at_once(sent: Sent) -> None:
    sent.add(b"one", b"two")
    assert (sent.count, sent.read(6)) == (2, b"onetwo")


def test_a_client_that_takes_nothing_holds_up_nobody_and_gets_all_of_it_later(sent: Sent) -> None:
    sent.add(*FRAMES)
    sent.add(b"last")
    assert sent.count < len(FRAMES)
    assert sent.read(50 * 100_000 + 4) == b"".join(FRAMES) + b"last"
    wait_until(lambda: sent.count == len(FRAMES) + 1)


def test_nothing_is_sent_after_the_last_frame(sent: Sent) -> None:
    sent.outlet.close(b"bye")
    sent.add(b"late")
    assert sent.read(100) == b"bye"


def test_a_client_stuck_in_a_frame_is_not_sent_another_kind(sent: Sent) -> None:
    sent.add(*FRAMES)
    sent.outlet.close(b"bye")
    assert not sent.read(50 * 100_000).endswith(b"bye")


def test_a_client_that_is_gone_ends_it(sent: Sent) -> None:
    sent.client.close()
    sent.add(b"one")
    sent.add(b"two")
    assert sent.outlet.is_over


def test_the_last_frame_waits_for_one_that_is_just_being_written(sent: Sent) -> None:
    is_taking, may_go_on = threading.Event(), threading.Event()

    def take() -> bytes | None:
        is_taking.set()
        assert may_go_on.wait(5)
        return sent.waiting.popleft() if sent.waiting else None

    sent.waiting.append(b"one")
    outlet = Outlet(sent.ours, take, lambda: None)
    writer = threading.Thread(target=outlet.flush)
    writer.start()
    assert is_taking.wait(5)
    closing = threading.Thread(target=outlet.close, args=[b"bye"])
    closing.start()
    may_go_on.set()
    assert sent.read(6) == b"onebye"
    for thread in (writer, closing):
        thread.join()
