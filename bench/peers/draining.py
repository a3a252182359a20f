"""Times one peer's five workers: `python -m bench.peers.draining NAME JOBS RUNS`.

Jobs are queued while the workers are frozen, so that no producer shares the cores with them; the
clock runs from their thaw until the last result is there. Prints jobs a second of each run.
"""

import json
import signal
import sys
import time
from importlib import import_module
from types import ModuleType

from bench.peers.processes import Workers, start_workers, wait_until

PATIENCE_SECONDS = 120


def main(name: str, jobs: int, runs: int) -> list[float]:
    """Start the workers, drain once to warm up, then as often as asked."""
    peer = import_module(f"bench.peers.noop_{name}")
    with start_workers(peer.WORKERS, peer.PROCESSES) as workers:
        return [_jobs_per_second(peer, workers, jobs) for _ in range(1 + runs)][1:]


def _jobs_per_second(peer: ModuleType, workers: Workers, jobs: int) -> float:
    workers.signal(signal.SIGSTOP)
    count_results = peer.enqueue(jobs)
    began = time.perf_counter()
    workers.signal(signal.SIGCONT)
    wait_until(lambda: count_results() >= jobs, PATIENCE_SECONDS)
    return jobs / (time.perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
