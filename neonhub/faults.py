"""Named points at which tests make a process die, stall or fail; off, they cost a comparison.

A point is armed by a file of its name in the folder that `NEONHUB_FAULTS` names, which says what
happens to the first process that reaches it: `kill`, `fail`, or `stall 3` for three seconds.
"""

import os
import signal
import time
from pathlib import Path

_FOLDER = os.environ.get("NEONHUB_FAULTS")


class InjectedFault(Exception):
    """A test wanted this step to fail."""


def reach(point: str) -> None:
    """Say that a process is at a point, such as `scheduler.decided`.

    Raises:
        InjectedFault: A test wants it to fail here.
    """
    if _FOLDER is not None:
        _act(Path(_FOLDER), point)


def _act(folder: Path, point: str) -> None:
    taken = folder / f"{point}.taken-by-{os.getpid()}"
    try:
        (folder / point).rename(taken)  # of several processes, one gets it
    except FileNotFoundError:
        return
    action, *more = taken.read_text().split()
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "stall":
        time.sleep(float(more[0]))
    if action == "fail":
        raise InjectedFault(f"A test wants {point} to fail.")
