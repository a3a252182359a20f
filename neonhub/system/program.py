"""How a part of the system becomes a process: as a program of its own, or forked from this one."""

import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from setproctitle import setproctitle

from neonhub.observability.error_reports import flush_error_reports
from neonhub.process import die_with_parent

logger = logging.getLogger(__name__)


class Process(Protocol):
    """A running child."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""

    def send_signal(self, sig: int) -> None:
        """Signal it, unless it was seen to have ended."""


class ForkedProcess:
    """A child that runs a function: what its parent has imported is in memory once for both."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def send_signal(self, sig: int) -> None:
        """Signal it, unless it was seen to have ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


def start_program(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    death_signal: int = signal.SIGKILL,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start a program.

    Args:
        env: Its whole environment.
        death_signal: What it gets when this process dies.
        pass_fds: Open files it inherits under the same numbers.
    """
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        pass_fds=tuple(pass_fds),
        start_new_session=True,  # Ctrl-C on the terminal is for its parent to handle
        preexec_fn=partial(die_with_parent, os.getpid(), death_signal),
    )


def fork_program(
    title: str,
    main: Callable[[], None],
    *,
    env: Mapping[str, str],
    death_signal: int = signal.SIGKILL,
    signals: Iterable[int] = (),
    forget: Callable[[], None] = lambda: None,
) -> Process:
    """Run a function as if it were a program; call it from the main thread, while it is the only.

    Args:
        title: The command line it is seen with.
        main: Its exit code is that of `sys.exit`.
        env: Its whole environment.
        death_signal: What it gets when this process dies.
        signals: Those this process handles; the child starts without that.
        forget: Closes what is open for this process alone.
    """
    gc.freeze()  # the child's collector leaves alone, and shared, what is there already
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return ForkedProcess(pid)
    code = 1
    try:
        die_with_parent(parent, death_signal)
        _begin(title, env, signals)
        forget()
        main()
        code = 0
    except SystemExit as ended:
        code = _exit_code(ended)
    except BaseException:
        logger.exception("A process could not go on.")
    finally:
        flush_error_reports()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _begin(title: str, env: Mapping[str, str], signals: Iterable[int]) -> None:
    setproctitle(title)  # finds its place by the environment's, so it comes before that changes
    os.setsid()
    for signum in signals:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.environ.clear()
    os.environ.update(env)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it


def _exit_code(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1
