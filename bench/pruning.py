"""How long does one transaction of pruning take, and how many sessions go in a second?"""

import time
from datetime import timedelta
from itertools import islice

from bench.past_sessions import fill_sessions
from bench.result import Result, p99
from bench.services import Services
from bench.target import at_most
from neonhub.domain.retention import Retention
from neonhub.retention.pruning import SESSIONS, Pruning

MANY = 1_000_000
STEPS = 50
"""Transactions of each run."""

KEEP_DAYS = 30
LIMIT_MS = 50
"""So long, and no longer, others may wait for the lock of SQLite."""


def measure(services: Services, *, runs: int, many: int = MANY) -> list[Result]:
    """The rows of this question; nobody rests between two transactions here."""
    results = []
    for kind in services.databases:
        spent = _steps_ms(services, kind, many, 1 + runs)
        samples = [spent[n * STEPS : (n + 1) * STEPS] for n in range(1, 1 + runs)]
        case = f"{kind}, {many:,} sessions"
        results += [
            Result(
                question=f"pruning {SESSIONS} sessions, p99",
                case=case,
                unit="ms",
                samples=[p99(each) for each in samples],
                targets=[at_most(LIMIT_MS)],
            ),
            Result(
                question="sessions pruned",
                case=case,
                unit="/s",
                samples=[1000 * SESSIONS * STEPS / sum(each) for each in samples],
            ),
        ]
    return results


def _steps_ms(services: Services, kind: str, many: int, runs: int) -> list[float]:
    spent = []
    with services.database(kind) as database:
        _, last = fill_sessions(database, many)
        steps = Pruning(database, Retention(KEEP_DAYS, 0)).run(last + timedelta(days=KEEP_DAYS))
        began = time.perf_counter()
        for removed in islice((each for each in steps if each.sessions), runs * STEPS):
            assert removed.sessions <= SESSIONS, removed
            spent.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
    assert len(spent) == runs * STEPS
    return spent
