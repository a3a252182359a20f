"""What does the whole system cost while nothing happens: memory, CPU, and the time to be ready?"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from bench.peer_process import start_peers
from bench.result import Result
from bench.services import Services
from bench.target import Target, at_most
from tests.e2e.running import RunningSystem
from tests.waiting import wait_until

LIMIT_CPU_PERCENT = 1
STRETCH_MB = 150
LIMIT_READY_MS = 3000
CELERY, RQ = "Celery", "RQ"
PROCESSES = 7
"""Of either peer: five workers, what started them, and what schedules."""

# https://docs.celeryq.dev/en/stable/userguide/workers.html and userguide/periodic-tasks.html
CELERY_PROGRAMS = (
    "celery -A bench.peers.noop_celery worker --concurrency 5 --loglevel ERROR",
    "celery -A bench.peers.noop_celery beat --loglevel ERROR --schedule beat",
)
# https://python-rq.org/docs/workers/#worker-pool and https://github.com/rq/rq-scheduler
RQ_PROGRAMS = (
    "rq worker-pool --quiet --num-workers 5 --url {url}",
    "rqscheduler --quiet --url {url}",
)
SETTLED_SECONDS = 4
"""After the start, before anything is read: the seeds are written, caches are filled."""

SEEDED = "/api/agents/content-creator"
WORK = 20
"""Sessions at once: so many that each of the five workers has its share."""

WORK_SECONDS = 60
"""How long they may take; there are 2 to 3 seconds in each."""


def measure(services: Services, *, runs: int, seconds: float = 20) -> list[Result]:
    """The rows of this question; SQLite and the embedded server, as `python app.py` has it.

    It is idle in the folder that it has just set up.
    """
    folder = services.new_folder()
    ready_ms = [_ready_ms(folder) for _ in range(1 + runs)][1:]
    with RunningSystem(services.new_folder()) as system:
        time.sleep(SETTLED_SECONDS)
        memory = [pss_mb(system.processes()) for _ in range(runs)]
        cpu = [cpu_percent(system.processes(), seconds / runs) for _ in range(runs)]
        rested = _rested_mb(system)
    celery = _settled_mb(services, CELERY_PROGRAMS)
    rq = _settled_mb(services, RQ_PROGRAMS)
    return [
        _memory_row("Celery, worker of five and beat; no web, no server", [celery], {}),
        _memory_row("RQ, pool of five and rqscheduler; no web, no server", [rq], {}),
        _memory_row(
            "NeonHub, everything",
            memory,
            {CELERY: celery, RQ: rq},
            at_most(1, CELERY),
            at_most(STRETCH_MB),
        ),
        _memory_row("NeonHub, just after work for all five", [rested], {CELERY: celery, RQ: rq}),
        _row("CPU of the idle system", "NeonHub, % of a core", "%", cpu, LIMIT_CPU_PERCENT),
        _row("start until ready, warm", "python app.py", "ms", ready_ms, LIMIT_READY_MS),
    ]


def _settled_mb(services: Services, programs: Sequence[str]) -> float:
    commands = [each.format(url=services.redis_url) for each in programs]
    with start_peers(services, commands, PROCESSES) as processes:
        time.sleep(SETTLED_SECONDS)
        return pss_mb(processes())


def _rested_mb(system: RunningSystem) -> float:
    """While the agents' processes of all five workers wait for more, which they do for a minute."""
    for _ in range(WORK):
        assert system.post(f"{SEEDED}/run", {}).ok
    done = f"{SEEDED}/sessions?status=COMPLETED"
    wait_until(lambda: system.get(done).json()["total"] >= WORK, seconds=WORK_SECONDS)
    return pss_mb(system.processes())


def pss_mb(processes: Sequence[psutil.Process]) -> float:
    """Their memory, what they share counted once: the sum of their proportional set sizes."""
    return sum(_pss_kb(process.pid) for process in processes) / 1024


def cpu_percent(processes: Sequence[psutil.Process], seconds: float) -> float:
    """Of one core, over the next seconds."""
    before = _cpu_seconds(processes)
    began = time.perf_counter()
    time.sleep(seconds)
    return 100 * (_cpu_seconds(processes) - before) / (time.perf_counter() - began)


def _ready_ms(folder: Path) -> float:
    """From the start of the process until it announces itself, which is once /readyz says so."""
    system = RunningSystem(folder)
    began = time.perf_counter()
    with system:
        return (time.perf_counter() - began) * 1000


def _pss_kb(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _memory_row(
    case: str, samples: Sequence[float], peers: dict[str, float], *targets: Target
) -> Result:
    return Result(
        question="memory of the idle system (PSS)",
        case=case,
        unit="MB",
        samples=samples,
        targets=targets,
        peers=peers,
    )


def _row(question: str, case: str, unit: str, samples: Sequence[float], limit: float) -> Result:
    return Result(
        question=question, case=case, unit=unit, samples=samples, targets=[at_most(limit)]
    )
