"""Ties the life of a child process to its parent's."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

# Loaded here, not in the child: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent_pid: int, signum: int = signal.SIGKILL) -> None:
    """Ask the kernel to signal this process when its parent dies; call it in the fresh child.

    The parent must have forked from its main thread: the kernel watches that thread. Where the
    kernel cannot do this (not Linux), only a parent that is gone already is noticed.

    Args:
        parent_pid: The parent's id, taken before the fork.
        signum: The signal this process gets.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def is_alive(pid: int) -> bool:
    """Whether a process has this id; one that belongs to somebody else counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
