"""Starts a peer's workers, freezes and thaws them, and ends them."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

READY_SECONDS = 60
END_SECONDS = 10
POLL_SECONDS = 0.005


class Workers:
    """Programs of this environment and the processes they start."""

    def __init__(self, commands: Sequence[str], folder: str) -> None:
        self._started = [_start(command.split(), folder) for command in commands]

    def tree(self) -> list[psutil.Process]:
        """Every process of them."""
        return [each for one in self._started for each in (one, *one.children(recursive=True))]

    def signal(self, signum: int) -> None:
        """Send a signal to each process."""
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):  # a fork for one job, which is done
                process.send_signal(signum)

    def end(self) -> None:
        """Ask them to end, and kill those that don't."""
        everything = self.tree()
        for one in self._started:
            one.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(everything, timeout=END_SECONDS)
        for process in alive:
            process.kill()


@contextmanager
def start_workers(commands: Sequence[str], processes: int) -> Iterator[Workers]:
    """Start programs, wait until there are so many processes, and end them after."""
    with tempfile.TemporaryDirectory() as folder:
        workers = Workers(commands, folder)
        try:
            wait_until(lambda: len(workers.tree()) >= processes, READY_SECONDS)
            yield workers
        finally:
            workers.end()


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(POLL_SECONDS)


def _start(command: list[str], folder: str) -> psutil.Popen:
    program = Path(sys.executable).with_name(command[0])
    nowhere = subprocess.DEVNULL
    return psutil.Popen([str(program), *command[1:]], cwd=folder, stdout=nowhere, stderr=nowhere)
