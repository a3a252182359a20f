"""Waiting for work that blocks, without being deaf to a stop."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from threading import Thread
from typing import TypeVar

from neonhub.agents.base import BaseAgent

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""How often `should_stop` is looked at."""


class Stopped(Exception):
    """The agent was asked to stop before the work was done."""


def call_unless_stopped(
    agent: BaseAgent,
    work: Callable[[], T],
    *,
    timeout_seconds: float,
    abandon: Callable[[], None] = lambda: None,
) -> T:
    """Do work that blocks in a thread, and leave it behind on a stop or when its time is up.

    Args:
        timeout_seconds: For the whole work, however often it gets a byte.
        abandon: Called when the work is left behind; ends it if that is possible.

    Raises:
        Stopped: `agent` was asked to stop.
        TimeoutError: The time was up.
    """
    future: Future[T] = Future()
    Thread(target=_run, args=(future, work), daemon=True).start()
    deadline = time.monotonic() + timeout_seconds
    while True:
        left = deadline - time.monotonic()
        try:
            return future.result(timeout=max(0.0, min(left, LOOK_SECONDS)))
        except FutureTimeout:
            if future.done():
                raise  # the work's own, not ours
            if agent.should_stop:
                abandon()
                raise Stopped from None
            if left <= 0:
                abandon()
                raise TimeoutError(f"not done within {timeout_seconds:g} seconds") from None


def _run(future: "Future[T]", work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
