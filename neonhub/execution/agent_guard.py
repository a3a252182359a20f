"""A process beside each agent that ends it when its keeper can't."""

import os
import select
import signal
import threading
from contextlib import suppress
from typing import NoReturn

SILENCE = 0.8
"""The part of a lease for which a keeper may be silent."""


class Guard:
    """A process that kills an agent's process group once its keeper is gone, or silent too long.

    The kernel ends the agent with its keeper, but not what the agent has started. A keeper that
    was frozen longer than its lease may find the session at work elsewhere when it wakes: by then
    its own agent must be gone.
    """

    def __init__(self, agent_pid: int, *, silence_seconds: float) -> None:
        theirs, self._ours = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._ours)
            _guard(theirs, agent_pid, silence_seconds)
        os.close(theirs)
        self._is_over = threading.Event()
        # A thread, as the keeper itself may wait long for a database that is away.
        self._beating = threading.Thread(target=self._beat, args=(silence_seconds / 8,))
        self._beating.daemon = True
        self._beating.start()

    def end(self) -> bool:
        """The keeper lives, and sees to the agent itself.

        Returns:
            Whether the guard has killed the agent before.
        """
        self._is_over.set()
        self._beating.join()
        with suppress(BrokenPipeError):
            os.write(self._ours, _FAREWELL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._ours)
        return status == _KILLED_FOR_SILENCE

    def _beat(self, seconds: float) -> None:
        while not self._is_over.wait(seconds):
            try:
                os.write(self._ours, b".")
            except OSError:
                return  # the guard has done its work


_FAREWELL = b"!"
_KILLED_FOR_SILENCE = 3


def _guard(pipe: int, agent_pid: int, silence_seconds: float) -> NoReturn:
    status = 1
    try:
        os.setsid()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        heard = b"."
        while heard and select.select([pipe], [], [], silence_seconds)[0]:
            heard = os.read(pipe, 64)
            if heard.endswith(_FAREWELL):
                os._exit(0)
        status = _KILLED_FOR_SILENCE
        kill_group(agent_pid)
    finally:
        os._exit(status)


def kill_group(pid: int) -> None:
    """Kill a process and all that share its group."""
    os.kill(pid, signal.SIGKILL)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # killed before it had made a group of its own
