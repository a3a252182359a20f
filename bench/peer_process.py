"""Runs the peers' programs, in the peers' own environment."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from bench.services import Services
from tests.e2e.running import ROOT
from tests.waiting import wait_until

PEERS_BIN = ROOT / ".venv-peers" / "bin"
READY_SECONDS = 60
END_SECONDS = 20


def run_peer(services: Services, module: str, *arguments: object) -> Any:
    """Run one of `bench.peers` on an empty Redis to its end; what it printed, a JSON text."""
    services.redis.flushall()
    command = [str(PEERS_BIN / "python"), "-m", f"bench.peers.{module}", *map(str, arguments)]
    said = subprocess.run(
        command, cwd=ROOT, env=_env(services), stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(said.stdout)


@contextmanager
def start_peers(
    services: Services, commands: Sequence[str], processes: int
) -> Iterator[Callable[[], list[psutil.Process]]]:
    """Start programs of the peers on an empty Redis, and end them.

    Args:
        commands: Each the name of a program of their environment and its arguments.
        processes: How many there are in all once they are up.

    Returns:
        What lists their processes.
    """
    services.redis.flushall()
    folder = services.new_folder()
    started = [
        psutil.Popen(
            [str(PEERS_BIN / name), *arguments],
            cwd=folder,
            env=_env(services),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, *arguments in map(str.split, commands)
    ]

    def all_processes() -> list[psutil.Process]:
        return [each for one in started for each in (one, *one.children(recursive=True))]

    try:
        wait_until(lambda: len(all_processes()) >= processes, seconds=READY_SECONDS)
        yield all_processes
    finally:
        _end(started, all_processes())


def _env(services: Services) -> dict[str, str]:
    own = {"REDIS_URL": services.redis_url, "PYTHONPATH": str(ROOT)}
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | own


def _end(started: Sequence[psutil.Popen], everything: Sequence[psutil.Process]) -> None:
    for one in started:
        one.terminate()
    _, alive = psutil.wait_procs(everything, timeout=END_SECONDS)
    for process in alive:
        process.kill()
