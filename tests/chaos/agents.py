"""Agents that write down what they do, in a file that the system knows nothing of.

A line is `lane session attempt pid what`, `what` being `start`, `end`, or what an agent saw that
must not be: `beside PID`, the same session at work elsewhere; `lane PID`, another session of a
lane that allows one at a time; `crowd N`, more agents at once than allowed.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neonhub.agents import BaseAgent

MOST_AT_ONCE = 5


class Chronicler(BaseAgent):
    """Notes its start and its end, and what it sees between the two.

    Its config: `truth`, a file; `lane`, a word; `seconds` of work; `alone`, whether its lane allows
    one at a time; `fail_first`, how many attempts fail.
    """

    kind = "chronicler"

    def execute_impl(self, config: Mapping[str, Any]) -> Any:
        """Work in short naps, so that a stop is obeyed."""
        truth = Path(config["truth"])
        self._look_around(truth, config)
        self._note(truth, config, "start")
        self._look_around(truth, config)
        ends_at = time.monotonic() + float(config.get("seconds", 0.2))
        while time.monotonic() < ends_at and not self.should_stop:
            time.sleep(0.02)
        self.report_progress(100, "done")
        self._note(truth, config, "end")
        if self.attempt <= int(config.get("fail_first", 0)):
            raise RuntimeError("This attempt was told to fail.")
        return {"attempt": self.attempt}

    def _note(self, truth: Path, config: Mapping[str, Any], what: str) -> None:
        line = f"{config['lane']} {self.session_id} {self.attempt} {os.getpid()} {what}\n"
        handle = os.open(truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, line.encode())
        os.close(handle)

    def _look_around(self, truth: Path, config: Mapping[str, Any]) -> None:
        at_work = [each for each in unended(truth) if each[3] != os.getpid() and lives(each[3])]
        for lane, session, _, pid in at_work:
            if session == self.session_id:
                self._note(truth, config, f"beside {pid}")
            elif lane == config["lane"] and config.get("alone"):
                self._note(truth, config, f"lane {pid}")
        if len(at_work) >= MOST_AT_ONCE:
            self._note(truth, config, f"crowd {len(at_work)}")


def unended(truth: Path) -> list[tuple[str, str, int, int]]:
    """Lane, session, attempt and pid of every start that no end follows."""
    running: dict[tuple[str, int], tuple[str, str, int, int]] = {}
    for line in truth.read_text().splitlines() if truth.exists() else []:
        lane, session, attempt, pid, what = line.split()[:5]
        if what == "start":
            running[session, int(attempt)] = (lane, session, int(attempt), int(pid))
        elif what == "end":
            running.pop((session, int(attempt)), None)
    return list(running.values())


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
