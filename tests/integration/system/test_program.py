"""A part that is forked from the system's process, as if it were a program of its own."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import psutil
import pytest

from neonhub.system.program import Process, fork_program
from tests.waiting import wait_until

Fork = Callable[..., Process]


@pytest.fixture
def fork() -> Iterator[Fork]:
    """Forks functions; ends what is left of them."""
    processes: list[Process] = []

    def fork(main: Callable[[], None], env: Mapping[str, str] | None = None) -> Process:
        given = dict(os.environ) if env is None else env
        process = fork_program("a part", main, env=given, signals=[signal.SIGTERM])
        processes.append(process)
        return process

    yield fork
    for process in processes:
        process.send_signal(signal.SIGKILL)
        wait_until(lambda process=process: process.poll() is not None)  # type: ignore[misc]


def ended(process: Process) -> int:
    """The exit code of a process, as soon as it has one."""
    wait_until(lambda: process.poll() is not None)
    code = process.poll()
    assert code is not None
    return code


@pytest.mark.parametrize(("told", "code"), [(0, 0), (None, 0), (78, 78), ("No.", 1)])
def test_its_exit_code_is_that_of_sys_exit(fork: Fork, told: object, code: int) -> None:
    assert ended(fork(lambda: sys.exit(told))) == code  # type: ignore[arg-type]


def test_one_that_returns_has_ended_well(fork: Fork) -> None:
    assert ended(fork(lambda: None)) == 0


def test_one_that_fails_ends_alone(fork: Fork) -> None:
    assert ended(fork(_fail)) == 1


def test_it_is_ended_by_a_signal_its_parent_handles(fork: Fork, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = fork(partial(_wait, tmp_path / "mark"))
        wait_until((tmp_path / "mark").exists)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


def test_it_has_the_environment_it_was_given(fork: Fork, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert ended(fork(lambda: _write(seen), {"ONLY": "this"})) == 0
    assert seen.read_text() == "['ONLY']"


def test_it_has_a_command_line_and_a_session_of_its_own(fork: Fork, tmp_path: Path) -> None:
    process = fork(partial(_wait, tmp_path / "mark"))
    wait_until((tmp_path / "mark").exists)
    assert psutil.Process(process.pid).cmdline()[0].startswith("a part")
    assert os.getsid(process.pid) == process.pid


def _fail() -> None:
    raise ValueError("broken")


def _wait(mark: Path) -> None:
    mark.touch()
    signal.pause()


def _write(seen: Path) -> None:
    seen.write_text(str(list(os.environ)))
