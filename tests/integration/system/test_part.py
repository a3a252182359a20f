"""One process of the system: started, watched, ended."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from neonhub.startup import EXIT_WRONG_SETTING
from neonhub.system.part import (
    FIRST_RESTART_SECONDS,
    LONGEST_RESTART_SECONDS,
    STEADY_SECONDS,
    Part,
    PartRefused,
)
from neonhub.system.program import start_program
from tests.waiting import wait_until

MakePart = Callable[[str], Part]


@pytest.fixture
def make_part(tmp_path: Path) -> Iterator[MakePart]:
    """Makes parts that run some lines of Python; ends them."""
    parts: list[Part] = []

    def make(code: str) -> Part:
        (tmp_path / "a_part.py").write_text(f"import os, pathlib, signal, sys, time\n{code}\n")
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "MARK": str(tmp_path / "m")}
        start = partial(start_program, [sys.executable, "-m", "a_part"], env=env)
        parts.append(Part("part", start))
        return parts[-1]

    yield make
    for part in parts:
        part.kill()
        wait_until(part.has_ended)


def test_the_first_step_starts_it(make_part: MakePart) -> None:
    part = make_part("time.sleep(600)")
    assert part.pid is None
    part.step(0)
    assert part.pid is not None
    assert not part.has_ended()


def test_a_dead_one_starts_again_after_a_while(make_part: MakePart) -> None:
    part = make_part("sys.exit(3)")
    part.step(0)
    wait_until(part.has_ended)
    part.step(1)
    part.step(1 + FIRST_RESTART_SECONDS - 0.01)
    assert part.pid is None
    part.step(1 + FIRST_RESTART_SECONDS)
    assert part.pid is not None


def test_one_that_keeps_dying_waits_longer_each_time(make_part: MakePart) -> None:
    part, now = make_part("sys.exit(3)"), 0.0
    for delay in (0.5, 1, 2, LONGEST_RESTART_SECONDS, LONGEST_RESTART_SECONDS):
        part.step(now)
        wait_until(part.has_ended)
        part.step(now)
        now += delay
        part.step(now - 0.01)
        assert part.pid is None


def test_one_that_ran_steadily_waits_as_at_first(make_part: MakePart) -> None:
    part = make_part("sys.exit(3)")
    for now in (0.0, FIRST_RESTART_SECONDS):
        part.step(now)
        wait_until(part.has_ended)
    part.step(STEADY_SECONDS + 1)
    part.step(STEADY_SECONDS + 1 + FIRST_RESTART_SECONDS)
    assert part.pid is not None


def test_a_wrong_setting_is_not_tried_again(make_part: MakePart) -> None:
    part = make_part(f"sys.exit({EXIT_WRONG_SETTING})")
    part.step(0)
    wait_until(part.has_ended)
    with pytest.raises(PartRefused, match="The part cannot run with these settings"):
        part.step(1)


def test_it_is_asked_to_end_by_sigterm(make_part: MakePart, tmp_path: Path) -> None:
    part = make_part(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "pathlib.Path(os.environ['MARK']).touch()\n"
        "time.sleep(600)"
    )
    part.step(0)
    wait_until((tmp_path / "m").exists)
    part.ask_to_end()
    wait_until(part.has_ended)


def test_asking_one_that_has_ended_is_harmless(make_part: MakePart) -> None:
    part = make_part("sys.exit(0)")
    part.ask_to_end()
    part.step(0)
    wait_until(part.has_ended)
    part.ask_to_end()
    part.kill()


def test_it_leads_a_session_of_its_own(make_part: MakePart) -> None:
    part = make_part("time.sleep(600)")
    part.step(0)
    assert part.pid is not None
    assert os.getsid(part.pid) == part.pid != os.getsid(0)
    os.kill(part.pid, signal.SIGKILL)
