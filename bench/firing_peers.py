"""How long do peers take to fire 2,000 due schedules? They keep no row of what was decided."""

from bench.peer_process import run_peer
from bench.result import Result
from bench.services import Services

DUE = 2000
PEERS = {
    "rq-scheduler": "rq-scheduler",
    "rq cron": "rq-cron",
    "APScheduler 3, Redis store": "apscheduler",
    "Celery beat": "celery-beat",
}


def measure(services: Services, *, runs: int, share: float = 1) -> list[Result]:
    """The rows of this question, to be read next to those of `firing`.

    Args:
        share: Of the 2,000, that are fired; the rows say how long all would have taken.
    """
    results = []
    for name, key in PEERS.items():
        rates = run_peer(services, "firing", key, int(DUE * share), runs)
        results.append(
            Result(
                question="firing 2,000 that are due",
                case=name,
                unit="ms",
                samples=[1000 * DUE / rate for rate in rates],
            )
        )
    return results
