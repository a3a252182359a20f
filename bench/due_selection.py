"""How long does it take to find in the database what is due, among 100,000 schedules?"""

from datetime import timedelta
from functools import partial

from sqlalchemy import select

from bench.filling import settle
from bench.result import Result, repeat_ms
from bench.schedules import add_schedules, prepare_agent, spread
from bench.services import Services
from bench.target import at_most
from neonhub.database import Database
from neonhub.models import Agent, Schedule
from neonhub.scheduling.repair import Repair
from neonhub.scheduling.timers import Timers
from tests.factories import NOW

LIMIT_MS = 50
DUE = 1000


def measure(services: Services, *, runs: int, schedules: int = 100_000) -> list[Result]:
    """The rows of this question: a sweep, which reads what is due and compares its timers."""
    results = []
    for kind in services.databases:
        with services.database(kind) as database:
            agent = prepare_agent(database)
            fill(database, agent, schedules)
            repair = Repair(database, Timers(services.redis))
            samples = repeat_ms(partial(_sweep, repair), runs=runs)
        case = f"{kind}, {DUE:,} of {schedules:,} due"
        results.append(
            Result(
                question="due-selection (a sweep)",
                case=case,
                unit="ms",
                samples=samples,
                targets=[at_most(LIMIT_MS)],
            )
        )
    return results


def fill(database: Database, agent: Agent, schedules: int) -> None:
    """Write the schedules, and let the database learn how they are spread."""
    add_schedules(database, agent, spread(schedules, due=DUE))
    settle(database)
    with database.read() as db:
        due = db.scalars(select(Schedule.id).where(Schedule.next_run_at <= NOW)).all()
    assert len(due) == DUE, len(due)


def _sweep(repair: Repair) -> int:
    """Every chunk of one sweep; a minute later, so that nothing counts as claimed just now."""
    later = NOW + timedelta(seconds=30)
    return sum(repair.sweep(later, ahead=timedelta(0)))
