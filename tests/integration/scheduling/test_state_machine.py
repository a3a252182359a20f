"""Whatever is done to schedules, clocks and servers: each due tick gets exactly one row.

Invariants 1, 4 and 9 of the design, checked after each step of random histories.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis
from sqlalchemy import select

from neonhub.agents import AgentManager
from neonhub.database import Database
from neonhub.domain.cron import parse_cron
from neonhub.domain.endings import AttemptEnd
from neonhub.domain.states import SessionStatus
from neonhub.execution.claims import Claim
from neonhub.models import AgentSession, Base
from neonhub.scheduling.agent_scheduler import AgentScheduler
from neonhub.scheduling.decide import decide_ticks
from neonhub.scheduling.pausing import set_schedule_paused, skip_next
from neonhub.scheduling.schedule_manager import ScheduleManager
from neonhub.scheduling.timers import TICK, Timers
from tests.factories import add_agent, add_fleet
from tests.steps import end, start_waiting
from tests.unit.domain import oracle

DEEP = bool(os.environ.get("NEONHUB_TEST_DEEP"))
HISTORIES = 2000 if DEEP else 100
STEPS = 40

START = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)
"""Two days before the clocks of New York go forward."""

ZONE = "America/New_York"
HORIZON = START + timedelta(days=60)
SECOND = timedelta(seconds=1)

EXPRESSIONS = ("*/30 * * * *", "30 2 * * *", "15 */3 * * *", "0,20 1-3 * * *")
TICKS = {
    each: oracle.ticks(parse_cron(each), ZoneInfo(ZONE), START, HORIZON) for each in EXPRESSIONS
}

recurrences = st.one_of(
    st.sampled_from(EXPRESSIONS).map(lambda e: {"cron_expression": e, "timezone": ZONE}),
    st.sampled_from([600, 1800, 5400]).map(lambda seconds: {"interval": seconds}),
)
policies = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["SKIP", "QUEUE_ONE", "ALLOW", "REPLACE"]),
        "catch_up": st.sampled_from(["LATEST", "ALL", "NONE"]),
        "catch_up_window_seconds": st.sampled_from([0, 3600, 86_400]),
    }
)


@dataclass
class Known:
    """What the test knows of one schedule."""

    id: str
    name: str
    policy: dict[str, Any]
    recurrence: dict[str, Any]
    since: datetime
    expected: list[datetime] = field(default_factory=list)
    """Ticks of earlier versions, all of them due before the edit that ended them."""

    def ticks(self, until: datetime) -> list[datetime]:
        """Every tick that is due until an instant, by brute force."""
        return self.expected + [t for t in self._of_version() if self.since < t <= until]

    def edit(self, recurrence: dict[str, Any], now: datetime) -> None:
        self.expected = self.ticks(now)
        self.recurrence, self.since = recurrence, now

    def _of_version(self) -> list[datetime]:
        if "interval" not in self.recurrence:
            return TICKS[self.recurrence["cron_expression"]]
        step = timedelta(seconds=self.recurrence["interval"])
        count = int((HORIZON - self.since) / step)
        return [self.since + n * step for n in range(1, count)]


class World(RuleBasedStateMachine):
    """Schedulers, workers and people, all in one thread, with a clock that is set by hand."""

    schedules = Bundle("schedules")

    def __init__(self, database: Database, redis: Redis, empty: Callable[[], None]) -> None:
        super().__init__()
        empty()
        self.database, self.redis = database, redis
        self.now = self.latest = START
        self.known: list[Known] = []
        self.running: list[Claim] = []
        self.made = 0
        self.is_settled = True
        self.manager = ScheduleManager(database, redis, clock=lambda: self.now)
        self.restart()

    @initialize()
    def begin(self) -> None:
        add_fleet(self.database)
        add_agent(self.database, "walker")
        self.look()

    # People

    @rule(target=schedules, recurrence=recurrences, policy=policies)
    @precondition(lambda self: self.now == self.latest and len(self.known) < 4)
    def create(self, recurrence: dict[str, Any], policy: dict[str, Any]) -> Known:
        self.made += 1
        name = f"s{self.made}"
        body = {"name": name, **recurrence, **policy}
        schedule = self.manager.create_schedule("walker", body)
        known = Known(schedule.id, name, policy, recurrence, self.now)
        self.known.append(known)
        return known

    @rule(known=schedules, recurrence=recurrences)
    @precondition(lambda self: self.now == self.latest)
    def edit(self, known: Known, recurrence: dict[str, Any]) -> None:
        body = {"name": known.name, **recurrence, **known.policy}
        self.manager.put_schedule("walker", body)
        if recurrence != known.recurrence:
            known.edit(recurrence, self.now)

    @rule(known=schedules, number=st.integers(0, 3))
    def edit_input(self, known: Known, number: int) -> None:
        self.manager.update_schedule(known.id, {"input": {"n": number}})

    @rule(known=schedules, paused=st.booleans())
    def pause(self, known: Known, paused: bool) -> None:
        set_schedule_paused(self.database, self.redis, known.id, paused, now=self.now)
        self.latest = max(self.latest, self.now)

    @rule(known=schedules)
    def skip_next(self, known: Known) -> None:
        skip_next(self.database, self.redis, known.id, now=self.now)
        self.latest = max(self.latest, self.now)

    @rule(known=consumes(schedules))
    def delete(self, known: Known) -> None:
        self.look()
        self.manager.delete_schedule(known.id)
        self.known.remove(known)

    # Time

    @rule(minutes=st.sampled_from([1, 10, 30, 45, 90, 300, 1500]))
    def wait(self, minutes: int) -> None:
        self.now = min(self.now + timedelta(minutes=minutes), HORIZON - timedelta(days=2))
        self.is_settled = False

    @rule(minutes=st.sampled_from([1, 30, 120]))
    def jump_back(self, minutes: int) -> None:
        self.now = max(self.now - timedelta(minutes=minutes), START)

    @rule()
    def look(self) -> None:
        """A scheduler looks until nothing is due, claims of dead ones included.

        One that finds Redis emptied puts the timers back in its next step.
        """
        self.now += SECOND
        for _ in range(1000):
            self.now += 6 * SECOND
            if not self.scheduler.step(self.now) and self.scheduler._is_loaded:
                break
        self.latest = max(self.latest, self.now)
        self.is_settled = self.now == self.latest

    # Faults

    @rule()
    def restart(self) -> None:
        self.scheduler = AgentScheduler(
            self.database, AgentManager(()), redis=self.redis, clock=lambda: self.now
        )

    @rule()
    def die_after_the_claim(self) -> None:
        Timers(self.redis).claim(self.now)
        self.restart()

    @rule()
    def die_before_the_hand_over(self) -> None:
        claims = Timers(self.redis).claim(self.now).claims
        ids = [each.member.removeprefix(TICK) for each in claims if each.member.startswith(TICK)]
        with self.database.begin() as db:
            decide_ticks(db, dict.fromkeys(ids), self.now)
        self.latest = max(self.latest, self.now)
        self.is_settled = False
        self.restart()

    @rule()
    def lose_redis(self) -> None:
        self.redis.flushall()

    # Workers

    @rule()
    def start_one(self) -> None:
        self.running += start_waiting(self.database, self.now, limit=1)

    @rule(outcome=st.sampled_from([AttemptEnd.RETURNED, AttemptEnd.RAISED, AttemptEnd.REFUSED]))
    @precondition(lambda self: self.running)
    def end_one(self, outcome: AttemptEnd) -> None:
        end(self.database, self.redis, self.running.pop(0), self.now, outcome)

    # What must hold

    @invariant()
    def no_tick_has_two_rows_and_none_is_invented(self) -> None:
        for known in self.known:
            self._check(known, must_be_complete=False)

    @invariant()
    def every_due_tick_has_a_row(self) -> None:
        if self.is_settled:
            for known in self.known:
                self._check(known, must_be_complete=True)

    @invariant()
    def the_overlap_policy_holds_for_those_that_run(self) -> None:
        at_work = [each.schedule_id for each in self.running]
        for known in self.known:
            if known.policy["overlap"] != "ALLOW":
                assert at_work.count(known.id) <= 1

    def _check(self, known: Known, *, must_be_complete: bool) -> None:
        due = known.ticks(self.latest if must_be_complete else max(self.now, self.latest))
        covered: list[datetime] = []
        for row in self._rows(known):
            assert row.tick_at is not None
            if row.missed_count is None:
                covered.append(row.tick_at)
                continue
            assert row.status in (SessionStatus.MISSED, SessionStatus.SKIPPED)
            assert row.missed_from is not None
            shared = [tick for tick in due if row.missed_from <= tick <= row.tick_at]
            assert len(shared) == row.missed_count
            covered += shared
        assert len(set(covered)) == len(covered), "a tick was decided twice"
        assert set(covered) <= set(due), "an instant that is no tick was decided"
        if must_be_complete:
            assert set(covered) == set(due), "a due tick has no row"

    def _rows(self, known: Known) -> list[AgentSession]:
        query = select(AgentSession).where(AgentSession.schedule_id == known.id)
        with self.database.read() as db:
            return list(db.scalars(query.order_by(AgentSession.tick_at)))


def test_random_histories(database: Database, redis_connection: Redis) -> None:
    def empty() -> None:
        redis_connection.flushall()
        with database.begin() as db:
            for table in reversed(Base.metadata.sorted_tables):
                db.execute(table.delete())

    machine: Any = lambda: World(database, redis_connection, empty)  # noqa: E731
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_redis_is_lost_while_a_scheduler_still_loads(
    database: Database, redis_connection: Redis
) -> None:
    """A history that was found: the load ended in the step that saw the loss."""
    world = World(database, redis_connection, lambda: None)
    world.begin()
    world.die_after_the_claim()
    recurrence = {"cron_expression": "*/30 * * * *", "timezone": ZONE}
    policy = {"overlap": "SKIP", "catch_up": "LATEST", "catch_up_window_seconds": 0}
    world.create(recurrence=recurrence, policy=policy)
    world.scheduler.step(world.now)
    world.lose_redis()
    world.wait(minutes=30)
    world.look()
    world.every_due_tick_has_a_row()
