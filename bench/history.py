"""How long do a page of history, explain and due-selection take with 10,000,000 sessions?"""

import random
from datetime import datetime, timedelta
from functools import partial
from statistics import median

from bench.past_sessions import AGENT, BEGAN, fill_sessions
from bench.result import Result, p99, timed_ms
from bench.services import Services
from bench.target import at_most
from neonhub.database import Database
from neonhub.execution.session_manager import SessionManager
from neonhub.scheduling.explain import explain
from neonhub.scheduling.repair import Repair
from neonhub.scheduling.timers import Timers

FEW, MANY = 10_000, 10_000_000
LIMIT_MS = 20
PAGES = 20
CALLS = 100


def measure(services: Services, *, runs: int, many: int = MANY) -> list[Result]:
    """The rows of this question, each next to the same with 10,000 sessions."""
    results = []
    for kind in services.databases:
        few = _measured(services, kind, FEW, runs)
        for name, samples in _measured(services, kind, many, runs).items():
            results.append(
                Result(
                    question=f"{name}, p99",
                    case=f"{kind}, {many:,} sessions",
                    unit="ms",
                    samples=samples,
                    peers={f"at {FEW:,}": median(few[name])},
                    targets=[at_most(LIMIT_MS)],
                )
            )
    return results


def _measured(services: Services, kind: str, count: int, runs: int) -> dict[str, list[float]]:
    """The p99 of each run, by what was asked."""
    chance = random.Random(1)
    with services.database(kind) as database:
        schedules, last = fill_sessions(database, count)
        manager = SessionManager(database, services.redis)
        repair = Repair(database, Timers(services.redis))
        return {
            name: [p99([timed_ms(call) for _ in range(CALLS)]) for _ in range(1 + runs)][1:]
            for name, call in (
                ("page of history", partial(_page, manager, chance)),
                ("explain", partial(_explain, database, schedules, last, chance)),
                ("due-selection (a sweep)", partial(_sweep, repair, last)),
            )
        }


def _page(manager: SessionManager, chance: random.Random) -> None:
    page = manager.list_for_agent(AGENT, page=chance.randint(1, PAGES))
    assert len(page.items) == page.page_size


def _explain(
    database: Database, schedules: list[str], last: datetime, chance: random.Random
) -> None:
    at = BEGAN + timedelta(seconds=1) + chance.random() * (last - BEGAN - timedelta(seconds=1))
    assert explain(database, chance.choice(schedules), at, now=last).session_id is not None


def _sweep(repair: Repair, last: datetime) -> None:
    """A minute after the last tick every schedule is due."""
    for _ in repair.sweep(last + timedelta(minutes=1), ahead=timedelta(0)):
        continue
