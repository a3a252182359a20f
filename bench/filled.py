"""A scheduler over many schedules, of which the same 2,000 come due once a week."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from bench.many_schedules import MONDAY_NOON, SHAPES, fill
from bench.services import Services
from neonhub.agents import AgentManager
from neonhub.database import Database
from neonhub.domain.local_days import instants_on, plain_start
from neonhub.domain.occurrences import latest_of_cron, next_of_cron
from neonhub.models import AgentSession, Schedule
from neonhub.redis import keys
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.options import SchedulerOptions
from neonhub.scheduling.timers import TICK

WEEK = timedelta(weeks=1)
NEVER_MS = 10**12


class Filled:
    """What is due is put back a week later, so the sessions of every run are kept."""

    def __init__(self, services: Services, database: Database) -> None:
        # No sweep falls into a firing: the due-selection is measured alone.
        options = SchedulerOptions(check_interval_ms=NEVER_MS)
        self.database = database
        self.redis = services.redis
        self.scheduler = AgentScheduler(database, AgentManager(), options, redis=services.redis)
        self.now: datetime = MONDAY_NOON
        with database.read() as db:
            query = select(Schedule.id, Schedule.next_tick_at)
            due = db.execute(query.where(Schedule.next_run_at <= MONDAY_NOON))
            self._due = {row.id: row.next_tick_at for row in due if row.next_tick_at is not None}

    def load(self) -> None:
        """Set all timers, chunk by chunk, as at a start before anything is due."""
        before = MONDAY_NOON - timedelta(minutes=1)
        wanted = self._count()
        while self.redis.zcard(keys.TIMERS) < wanted:
            self.scheduler.step(before)
        for _ in range(3):  # the end of the load: what retries
            self.scheduler.step(before)

    def fire(self) -> None:
        """Fire all that is due, in as many steps as it takes."""
        fired = 0
        while fired < len(self._due):
            fired += self.scheduler.step(self.now)

    def next_week(self) -> None:
        """End every session, and make the same schedules due again; forget computed ticks."""
        self.now += WEEK
        passed = self.now - MONDAY_NOON
        ended = {"status": "COMPLETED", "finished_at": self.now}
        due = [
            {"id": key, "next_tick_at": at + passed, "next_run_at": at + passed}
            for key, at in self._due.items()
        ]
        with self.database.begin() as db:
            db.execute(update(AgentSession).where(AgentSession.finished_at.is_(None)).values(ended))
            db.execute(update(Schedule), due)
        scores = {TICK + key: (at + passed).timestamp() for key, at in self._due.items()}
        self.redis.zadd(keys.TIMERS, scores)
        self.redis.delete(*(f"rq:queue:{queue}" for queue in keys.QUEUES))
        for remembering in (next_of_cron, latest_of_cron, instants_on, plain_start):
            remembering.cache_clear()

    def _count(self) -> int:
        with self.database.read() as db:
            query = select(func.count()).where(Schedule.next_run_at.is_not(None))
            return db.scalars(query).one()


@contextmanager
def filled(services: Services, kind: str, schedules: int, *, due: int = SHAPES) -> Iterator[Filled]:
    """So many schedules in a database of their own; the timers are not set yet."""
    with services.database(kind) as database:
        fill(database, schedules, due=due)
        yield Filled(services, database)
