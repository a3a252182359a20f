"""Agent classes for tests; `tests.agents_for_tests` in NEONHUB_AGENT_MODULES."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from neonhub.agents import BaseAgent, NonRetryableError


class Noop(BaseAgent):
    """Returns at once."""

    kind = "noop"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, bool]:
        return {"ok": True}


class Timekeeper(BaseAgent):
    """Returns when it ran, in unix seconds."""

    kind = "timekeeper"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, float]:
        return {"ran": time.time()}


class Echo(BaseAgent):
    """Returns what it was given: the config overlaid with the input."""

    kind = "echo"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        return config


class Flaky(BaseAgent):
    """Fails its first `failures` attempts (1), then succeeds."""

    kind = "flaky"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, int]:
        if self.attempt <= config.get("failures", 1):
            raise RuntimeError(f"Attempt {self.attempt} fails, as configured.")
        return {"attempt": self.attempt}


class Slow(BaseAgent):
    """Works `seconds` (1) in `steps` (10), reporting each, and obeys a stop."""

    kind = "slow"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        seconds, steps = config.get("seconds", 1.0), config.get("steps", 10)
        for step in range(1, steps + 1):
            if self._stop_flag.wait(seconds / steps):
                return {"steps": step - 1, "stopped": True}
            self.report_progress(100 * step / steps, f"step {step}")
        return {"steps": steps, "stopped": False}


class Stubborn(BaseAgent):
    """Works `seconds` (600) whatever anybody asks: only a kill ends it sooner."""

    kind = "stubborn"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, bool]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end = time.monotonic() + config.get("seconds", 600.0)
        while (left := end - time.monotonic()) > 0:
            try:
                self.report_progress(1, "not stopping")
                time.sleep(min(left, 0.1))
            except BaseException:
                continue
        return {"ok": True}


class Crasher(BaseAgent):
    """Its process dies."""

    kind = "crasher"

    def execute_impl(self, config: dict[str, Any]) -> NoReturn:
        os._exit(config.get("status", 3))


class Raiser(BaseAgent):
    """Fails every attempt."""

    kind = "raiser"

    def execute_impl(self, config: dict[str, Any]) -> NoReturn:
        raise RuntimeError(config.get("message", "It always fails."))


class Fatal(BaseAgent):
    """Fails in a way that no retry mends."""

    kind = "fatal"

    def execute_impl(self, config: dict[str, Any]) -> NoReturn:
        raise NonRetryableError(config.get("message", "No retry will mend this."))


class Forker(BaseAgent):
    """Starts a process of its own that outlives it, unless both are killed."""

    kind = "forker"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, int]:
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        if "path" in config:
            Path(config["path"]).write_text(str(child.pid))
        self.report_progress(1, f"child {child.pid}")
        threading.Event().wait(config.get("seconds", 600.0))
        return {"child": child.pid}


class Starter(BaseAgent):
    """Waits for a program that outlasts every test."""

    kind = "starter"

    def execute_impl(self, config: dict[str, Any]) -> None:
        subprocess.run(["sleep", "300"], check=True)


class Chatty(BaseAgent):
    """Reports progress `messages` times (1000) and logs `lines` (10) lines, as fast as it can."""

    kind = "chatty"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, int]:
        messages, lines = config.get("messages", 1000), config.get("lines", 10)
        for number in range(1, messages + 1):
            self.report_progress(100 * number / messages, f"message {number}")
        for n in range(lines):
            self.log_event("line", f"line {n}", {"n": n})
        return {"messages": messages, "lines": lines}


class Talker(BaseAgent):
    """Logs one line, of `message` and `data`."""

    kind = "talker"

    def execute_impl(self, config: dict[str, Any]) -> None:
        self.log_event("talk", config["message"], config["data"])


class Glutton(BaseAgent):
    """Takes memory until there is no more."""

    kind = "glutton"

    def execute_impl(self, config: dict[str, Any]) -> NoReturn:
        taken: list[bytearray] = []
        while True:
            taken.append(bytearray(16 * 1024 * 1024))


class Printer(BaseAgent):
    """Prints `megabytes` (100) to both of its outputs."""

    kind = "printer"

    def execute_impl(self, config: dict[str, Any]) -> None:
        for _ in range(config.get("megabytes", 100) // 2):
            print("x" * 1024 * 1024)
            print("x" * 1024 * 1024, file=sys.stderr)


class Unserialisable(BaseAgent):
    """Returns what JSON cannot hold."""

    kind = "unserialisable"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        return {"lock": object()}


class Recorder(BaseAgent):
    """Appends `sessionId attempt pid start|end` to the file `path`, `seconds` (0) apart."""

    kind = "recorder"

    def execute_impl(self, config: dict[str, Any]) -> dict[str, bool]:
        self._append(config["path"], "start")
        self._stop_flag.wait(config.get("seconds", 0.0))
        self._append(config["path"], "end")
        return {"ok": True}

    def _append(self, path: str, word: str) -> None:
        line = f"{self.session_id} {self.attempt} {os.getpid()} {word}\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class Litterer(BaseAgent):
    """Leaves behind what its `leaves` names, and tells what it found."""

    kind = "litterer"
    kept: ClassVar[list[Any]] = []

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        found = {
            "pid": os.getpid(),
            "variable": os.environ.get("LITTER"),
            "folder": os.getcwd(),
            "umask": _umask(),
            "handler": str(signal.getsignal(signal.SIGUSR1)),
            "level": logging.getLogger().level,
            "path": "/litter" in sys.path,
            "context": LITTER.get(),
        }
        getattr(self, "_leave_" + config.get("leaves", "nothing"))()
        return found

    def _leave_nothing(self) -> None:
        return

    def _leave_settings(self) -> None:
        os.environ["LITTER"] = "left"
        os.chdir("/")
        os.umask(0o777)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        logging.getLogger().setLevel(1)
        sys.path.append("/litter")
        LITTER.set("left")

    def _leave_thread(self) -> None:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

    def _leave_file(self) -> None:
        self.kept.append(open("/dev/null"))

    def _leave_child(self) -> None:
        subprocess.Popen(["sleep", "600"])

    def _leave_daemon(self) -> None:
        subprocess.run(["setsid", "--fork", "sleep", "600"], check=True)

    def _leave_memory(self) -> None:
        self.kept.append(b"x" * 64 * 2**20)  # more than an allocator keeps


LITTER: ContextVar[str | None] = ContextVar("LITTER", default=None)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
