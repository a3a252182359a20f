"""The pool stays whole, whatever happens to its workers."""

import os
import signal
import time

import pytest

from workers import pool
from workers.pool import Pool

SIZE, DEATHS = 20, 15


def test_one_death_after_another_does_not_put_off_replacements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "RESTART_SECONDS", 0.2)
    pid = os.fork()  # a pool reaps every child of its process
    if pid == 0:
        status = 1
        try:
            status = 0 if _is_replaced_while_dying(Pool(SIZE, lambda: time.sleep(60))) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_replaced_while_dying(workers: Pool) -> bool:
    """Kill one worker after the other, and see whether new ones come before the last has died."""
    workers.step()
    first = sorted(workers.pids)
    for victim in first[:DEATHS]:
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.05)
        workers.step()
    is_replaced = not workers.pids <= set(first)
    workers.end()
    return is_replaced
