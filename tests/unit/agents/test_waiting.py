"""Work that blocks, and a stop that comes meanwhile."""

import threading

import pytest

from neonhub.agents.waiting import Stopped, call_unless_stopped
from tests.agents_for_tests import Noop


@pytest.fixture
def gate() -> threading.Event:
    """What the work waits for; opened by `abandon`."""
    return threading.Event()


def test_work_gives_its_result() -> None:
    assert call_unless_stopped(Noop(), lambda: 7, timeout_seconds=60) == 7


@pytest.mark.parametrize("error", [ValueError("own"), TimeoutError("own")])
def test_work_gives_its_own_error(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error), match="own"):
        call_unless_stopped(Noop(), work, timeout_seconds=60)


def test_a_stop_leaves_the_work_behind(gate: threading.Event) -> None:
    agent = Noop()
    agent.stop()
    with pytest.raises(Stopped):
        call_unless_stopped(agent, gate.wait, timeout_seconds=60, abandon=gate.set)
    assert gate.is_set()


def test_the_end_of_its_time_leaves_the_work_behind(gate: threading.Event) -> None:
    with pytest.raises(TimeoutError, match=r"not done within 0\.01 seconds"):
        call_unless_stopped(Noop(), gate.wait, timeout_seconds=0.01, abandon=gate.set)
    assert gate.is_set()
