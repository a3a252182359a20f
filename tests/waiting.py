"""How tests wait: for a condition, never for a time."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], *, seconds: float = 30) -> None:
    """Return once something holds.

    Args:
        seconds: After so long it never will, and the test fails.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(POLL_SECONDS)
