"""Parents and children: who dies with whom, and how to end a whole tree."""

import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

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


def run_apart(work: Callable[[], object]) -> bool:
    """Run something in a forked child and wait for it: the memory it takes goes with it.

    Call it from the main thread, while it is the only one, and with no connection open.

    Returns:
        Whether it came to its end; what it raised is not told.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    code = 1
    with suppress(BaseException):
        die_with_parent(parent)
        work()
        code = 0
    os._exit(code)


def be_punctual() -> None:
    """Keep short what holds up a thread that has to be in time; call it once all is loaded.

    The collector leaves alone what is there, which it takes 40 ms to look through. And a thread
    waits half a millisecond for one that computes, where Python's default is ten times as long.
    """
    gc.freeze()
    sys.setswitchinterval(0.0005)


def limit_memory(limit_bytes: int | None) -> None:
    """Let this process fail alone when it takes too much memory; call it in the fresh child.

    Where memory runs out for all, the kernel's killer takes this process first (Linux only).

    Args:
        limit_bytes: Of its own data; None: no limit. A Python process gets a MemoryError there.
    """
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs; one that has ended and waits for its parent doesn't."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def adopt_orphans(wanted: bool = True) -> None:
    """Become the parent of descendants whose own parent dies, so that none gets away.

    Linux only; elsewhere a descendant that leaves its process tree is not found again.

    Args:
        wanted: False: no longer.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def child_pids(pid: int) -> set[int]:
    """The ids of a process's children; none if it is gone."""
    try:
        found = _children_of(pid)
        # The kernel may leave one out while another ends.
        while (again := _children_of(pid)) != found:
            found = again
        return found
    except OSError:
        return _children_by_search(pid)


def _children_of(pid: int) -> set[int]:
    tasks = f"/proc/{pid}/task"
    lists = [_read(f"{tasks}/{task}/children") for task in os.listdir(tasks)]
    return {int(child) for line in lists for child in line.split()}


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 65_536)
    finally:
        os.close(descriptor)


def _children_by_search(pid: int) -> set[int]:
    try:
        return {child.pid for child in psutil.Process(pid).children()}
    except psutil.NoSuchProcess:
        return set()


def descendants(except_for: Collection[int] = ()) -> list[psutil.Process]:
    """All processes below this one, but those with the ids given and what is below them."""
    own = [child for child in psutil.Process().children() if child.pid not in except_for]
    return own + [process for child in own for process in _below(child)]


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill processes at once and reap those that are this one's children."""
    processes = list(processes)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
