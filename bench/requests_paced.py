"""Asks one address at a steady pace from a process of its own, which prints each answer's time."""

import http.client
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from tests.e2e.running import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is asked, and how often."""

    port: int
    path: str
    per_second: float
    seconds: float
    bodies: list[Any] | None = None  # of POST, taken in turn; None: GET


def start_requests(pace: Pace) -> subprocess.Popen[str]:
    """Begin to ask."""
    command = [sys.executable, "-m", "bench.requests_paced", json.dumps(asdict(pace))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def answers_ms(process: subprocess.Popen[str]) -> list[float]:
    """Wait for the last answer; milliseconds of each."""
    said, _ = process.communicate()
    assert process.returncode == 0, process.returncode
    samples: list[float] = json.loads(said)
    return samples


def ask(pace: Pace) -> list[float]:
    """Ask and time; a request that had to wait for the answer before it counts from its turn on."""
    connection = http.client.HTTPConnection("127.0.0.1", pace.port)
    began = free_at = time.perf_counter()
    samples: list[float] = []
    while (number := len(samples)) < pace.seconds * pace.per_second:
        turn = began + number / pace.per_second
        time.sleep(max(0.0, turn - time.perf_counter()))
        if free_at > began + pace.seconds:
            break
        since = turn if free_at > turn else time.perf_counter()
        _ask_once(connection, pace, number)
        free_at = time.perf_counter()
        samples.append((free_at - since) * 1000)
    return samples


def _ask_once(connection: http.client.HTTPConnection, pace: Pace, number: int) -> None:
    if pace.bodies is None:
        connection.request("GET", pace.path)
    else:
        body = json.dumps(pace.bodies[number % len(pace.bodies)])
        connection.request("POST", pace.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status < 300, (answer.status, said)


if __name__ == "__main__":
    print(json.dumps(ask(Pace(**json.loads(sys.argv[1])))))
