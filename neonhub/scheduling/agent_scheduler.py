"""The scheduler: sleeps until the nearest timer, and fires what is due."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from neonhub.agents import AgentManager
from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.execution.session_history import SessionRow
from neonhub.execution.session_manager import SessionManager
from neonhub.faults import reach
from neonhub.models import Schedule
from neonhub.scheduling.firing import Firing
from neonhub.scheduling.heartbeat import Heartbeat
from neonhub.scheduling.options import SchedulerOptions
from neonhub.scheduling.repair import Repair
from neonhub.scheduling.schedule_manager import ScheduleManager
from neonhub.scheduling.timers import Timers

logger = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 0.5
"""The longest sleep: a clock that was set, an emptied Redis or a stop is noticed after it."""

BEAT = timedelta(seconds=2)
MAX_BACKOFF_SECONDS = 2.0


class AgentScheduler:
    """Fires the schedules of all agents; any number of schedulers work side by side.

    Each holds the timers of rq-scheduler's kind, claims what is due, decides it in the database
    and hands it over to RQ's queues.
    """

    def __init__(
        self,
        database: Database,
        agent_manager: AgentManager,
        options: SchedulerOptions | None = None,
        *,
        redis: Redis,
        clock: Clock = utcnow,
    ) -> None:
        """Nothing connects before `start` or `step`.

        Args:
            agent_manager: Knows the kinds of agents that can be scheduled.
            options: How this scheduler works; None for the defaults.
            redis: Carries timers and queues.
        """
        self._options = options or SchedulerOptions()
        self._clock = clock
        self.agent_manager = agent_manager
        self.timers = Timers(redis)
        self._heartbeat = Heartbeat(redis, self.timers)
        self._firing = Firing(database, redis, self.timers)
        self._repair = Repair(database, self.timers)
        self._repairing: Iterator[int] | None = None
        self._is_loaded = False
        self._swept_at: datetime | None = None
        self._beaten_at: datetime | None = None
        self._check_ms = 0.0
        self._fault: str | None = None
        self._stopping = threading.Event()
        self._schedules = ScheduleManager(
            database, redis=redis, clock=clock, max_retries=self._options.max_retries
        )
        self._sessions = SessionManager(database, redis, clock=clock)

    def start(self) -> None:
        """Fire until `stop` is called from a signal handler or another thread.

        A database or Redis that is away is waited for; nothing ends the loop but `stop`.
        """
        logger.info("The scheduler starts.", extra={"scheduler": self.timers.name})
        failures = 0
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception as error:
                failures += 1
                self._report(error, failures)
                self._tell(_sentence(error))
                self._stopping.wait(min(0.2 * failures, MAX_BACKOFF_SECONDS))
            else:
                if failures:
                    self._tell(None)
                    logger.info("The scheduler goes on.", extra={"scheduler": self.timers.name})
                failures = 0
        self._end()

    def stop(self) -> None:
        """Ask `start` to return; it does so within half a second."""
        self._stopping.set()

    def step(self, now: datetime) -> int:
        """One look: take what is due, decide it, hand it over.

        Args:
            now: Timezone-aware instant that decides what is due.

        Returns:
            How many timers were due.

        Raises:
            redis.exceptions.RedisError: Redis is away.
            sqlalchemy.exc.DBAPIError: The database is away.
        """
        self._go_on_repairing(now)
        return self._fire_due(now)[0]

    def schedule_agent(self, agent_id: str, **fields: Any) -> Schedule:
        """Create an agent's schedule, or put this one in its place.

        Args:
            fields: The schedule's, as `ScheduleManager.create_schedule` takes them.

        Raises:
            AgentNotFound: No agent has this id.
            InvalidInput: A field is wrong.
        """
        return self._schedules.put_schedule(agent_id, fields)[0]

    def update_schedule(self, schedule_id: str, **fields: Any) -> Schedule:
        """Change single fields of a schedule; those not given stay.

        Raises:
            ScheduleNotFound: No schedule has this id.
            InvalidInput: A field is wrong.
        """
        return self._schedules.update_schedule(schedule_id, fields)

    def get_scheduled_agents(self) -> list[Schedule]:
        """Every schedule that fires, with its agent, the next one first."""
        return self._schedules.get_due_schedules()

    def get_execution_history(self, agent_id: str, limit: int = 50) -> list[SessionRow]:
        """An agent's sessions, newest first, as rows.

        Raises:
            AgentNotFound: No agent has this id.
        """
        return list(self._sessions.list_for_agent(agent_id, page_size=limit).items)

    def _turn(self) -> None:
        """One look, then sleep until the next timer unless there is more to do."""
        self.timers.forget_wakes()
        now = self._clock()
        self._beat(now)
        began = time.monotonic()
        self._go_on_repairing(now)
        due, next_score = self._fire_due(now)
        self._check_ms = (time.monotonic() - began) * 1000
        if not due and self._repairing is None:
            self.timers.wait(self._seconds_until(next_score))

    def _fire_due(self, now: datetime) -> tuple[int, float | None]:
        claimed = self.timers.claim(now, self._options.claim_limit)
        if claimed.is_emptied and self._is_loaded:
            logger.warning("Redis was emptied; all timers are put back.")
            self._is_loaded, self._repairing = False, None
        if claimed.claims:
            reach("scheduler.claimed")
            self._firing.fire(claimed.claims, now)
        next_score = claimed.next_score
        if next_score is not None and next_score <= now.timestamp():
            # More is due than one batch holds. Retries and the longest due keep the other half.
            self._repair.hurry(now, self._options.claim_limit // 2)
        return len(claimed.claims), next_score

    def _seconds_until(self, score: float | None) -> float:
        if score is None:
            return MAX_WAIT_SECONDS
        return min(max(score - self._clock().timestamp(), 0.0), MAX_WAIT_SECONDS)

    def _go_on_repairing(self, now: datetime) -> None:
        """Put back one chunk of timers, if a load or sweep is under way or its time has come."""
        self._repairing = self._repairing or self._begin_repair(now)
        if self._repairing is None:
            return
        try:
            next(self._repairing)
        except StopIteration:
            self._repairing = None
            self._is_loaded = True
        except Exception:
            self._repairing = self._swept_at = None
            raise

    def _begin_repair(self, now: datetime) -> Iterator[int] | None:
        interval = timedelta(milliseconds=self._options.check_interval_ms)
        if self._is_loaded and self._swept_at and abs(now - self._swept_at) < interval:
            return None
        self._swept_at = now
        if not self._is_loaded:
            return self._repair.load(now)
        return self._repair.sweep(now, ahead=1.5 * interval)

    def _beat(self, now: datetime) -> None:
        if self._beaten_at is None or abs(now - self._beaten_at) >= BEAT:
            self._heartbeat.beat(now, self._check_ms, self._fault)
            self._beaten_at = now

    def _tell(self, fault: str | None) -> None:
        """Have the next turn begin with a beat that says so."""
        if fault != self._fault:
            self._fault, self._beaten_at = fault, None

    def _report(self, error: Exception, failures: int) -> None:
        """Say it once, not at every try."""
        if failures > 1:
            return
        extra = {"scheduler": self.timers.name}
        if isinstance(error, RedisError):
            logger.error("The scheduler waits for Redis: %s", error, extra=extra)
        elif isinstance(error, DBAPIError):
            logger.error("The scheduler waits for the database: %s", error, extra=extra)
        else:
            logger.exception("The scheduler failed, and tries again.", extra=extra)

    def _end(self) -> None:
        with suppress(RedisError):
            self._heartbeat.end()
        self.timers.stop_listening()
        logger.info("The scheduler has ended.", extra={"scheduler": self.timers.name})


def _sentence(error: Exception) -> str:
    """What the status says while a scheduler can't work."""
    if isinstance(error, DBAPIError):
        reason = str(error.orig).strip().splitlines() or ["no message"]
        return f"A scheduler waits for the database: {reason[0]}."
    if isinstance(error, RedisError):
        return f"A scheduler waits for Redis: {error}."
    return f"A scheduler fails with {type(error).__name__}; its log has the details."
