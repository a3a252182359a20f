"""How long does one look of the scheduler take, with nothing due and with 1,000 due?"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete

from bench.result import Result, repeat_ms
from bench.schedules import add_schedules, prepare_agent
from bench.services import Services
from bench.target import at_most
from neonhub.agents import AgentManager
from neonhub.database import Database
from neonhub.models import AgentSession, SessionEvent
from neonhub.redis import keys
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.options import SchedulerOptions
from tests.factories import NOW

LIMIT_MS = 100
DUE = 1000
ONE_DAY_MS = 86_400_000


class Looks:
    """A scheduler whose every look is a minute after the one before."""

    def __init__(self, services: Services, database: Database) -> None:
        # No sweep falls into a look: question 2 measures it alone.
        options = SchedulerOptions(check_interval_ms=ONE_DAY_MS)
        self._redis = services.redis
        self._database = database
        self.scheduler = AgentScheduler(database, AgentManager(), options, redis=services.redis)
        self.now: datetime = NOW
        self.found = 0

    def load(self) -> None:
        """Set the timers as at a start, before anything is due."""
        for _ in range(10):
            self.scheduler.step(NOW - timedelta(minutes=1))

    def look(self) -> None:
        """One look."""
        self.found = self.scheduler.step(self.now)

    def next_minute(self) -> None:
        """Take away what the last look made, and let a minute pass."""
        for queue in keys.QUEUES:
            self._redis.delete(f"rq:queue:{queue}")
        with self._database.begin() as db:
            db.execute(delete(SessionEvent))
            db.execute(delete(AgentSession))
        self.now += timedelta(minutes=1)


@contextmanager
def looks(services: Services, kind: str, schedules: int, due: bool) -> Iterator[Looks]:
    """A loaded scheduler with so many schedules, due every minute or next year."""
    with services.database(kind) as database:
        at = NOW + (timedelta(minutes=1) if due else timedelta(days=365))
        add_schedules(database, prepare_agent(database), [at] * schedules, overlap="ALLOW")
        found = Looks(services, database)
        found.load()
        yield found


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question."""
    results = []
    for kind in services.databases:
        for due in (0, DUE):
            with looks(services, kind, DUE, bool(due)) as found:
                samples = repeat_ms(found.look, runs=runs, before=found.next_minute)
                assert found.found == due, found.found
            case = f"{kind}, {due:,} of {DUE:,} due"
            results.append(_row(case, samples))
    return results


def _row(case: str, samples: list[float]) -> Result:
    return Result(
        question="one look of the scheduler",
        case=case,
        unit="ms",
        samples=samples,
        targets=[at_most(LIMIT_MS)],
    )
