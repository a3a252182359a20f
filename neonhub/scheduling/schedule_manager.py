"""Schedules as people ask for them: create, change, read, remove, validate."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.domain.cron import InvalidSchedule, parse_cron
from neonhub.domain.description import describe
from neonhub.domain.schedule import Recurrence
from neonhub.errors import (
    Conflict,
    InvalidInput,
    VersionMismatch,
)
from neonhub.faults import reach
from neonhub.models import Agent, Schedule
from neonhub.models.finding import find_agent, find_schedule, live_schedules
from neonhub.models.page import Page
from neonhub.redis.queues import TimerMove, hand_over
from neonhub.scheduling.backfill import stop_waiting
from neonhub.scheduling.schedule_body import DEFAULT_NAME, check_name, merged
from neonhub.scheduling.timers import TICK
from neonhub.scheduling.writing import edit_schedule, insert_schedule

logger = logging.getLogger(__name__)

MAX_NAMED = 5
"""Versions that a message tells about."""


class ScheduleManager:
    """Keeps schedules; the database decides, the timers follow after each commit."""

    def __init__(
        self,
        database: Database,
        redis: Redis | None = None,
        *,
        max_retries: int = 3,
        clock: Clock = utcnow,
    ) -> None:
        """
        Args:
            redis: Holds the timers; without it, or while it is away, the schedulers' sweep sets
                them.
            max_retries: Of a schedule that does not say.
        """
        self._database = database
        self._redis = redis
        self._max_retries = max_retries
        self._clock = clock

    def create_schedule(self, agent_id: str, fields: Mapping[str, Any]) -> Schedule:
        """Create an agent's schedule, or put this one in place of the one of the same name.

        Args:
            fields: The whole body by snake_case names; what is left out gets its default, the
                name `default` included.

        Raises:
            AgentNotFound: No agent has this id.
            InvalidInput: A field is wrong.
        """
        return self.put_schedule(agent_id, fields)[0]

    def put_schedule(
        self, agent_id: str, fields: Mapping[str, Any], *, if_match: Collection[int] | None = None
    ) -> tuple[Schedule, bool]:
        """Create a schedule, or update the one of the same name; an equal body changes nothing.

        Args:
            fields: As for `create_schedule`.
            if_match: The present version must be one of these; None: any, or none.

        Returns:
            The schedule, and whether it was created.

        Raises:
            AgentNotFound: No agent has this id.
            InvalidInput: A field is wrong.
            VersionMismatch: The present version is none of `if_match`.
        """
        try:
            return self._put(agent_id, fields, if_match)
        except IntegrityError:
            # Somebody created the same name between our look and our insert: now we update it.
            return self._put(agent_id, fields, if_match)

    def update_schedule(
        self,
        schedule_id: str,
        changes: Mapping[str, Any],
        *,
        if_match: Collection[int] | None = None,
    ) -> Schedule:
        """Change single fields; those not given stay, those given as None get their default.

        Args:
            changes: By snake_case names.
            if_match: The present version must be one of these; None: any.

        Raises:
            ScheduleNotFound: No schedule has this id.
            InvalidInput: A field is wrong.
            VersionMismatch: The present version is none of `if_match`.
            Conflict: Another schedule of the agent has the new name.
        """
        try:
            with self._database.begin() as db:
                schedule = find_schedule(db, schedule_id, lock=True)
                name = check_name(changes.get("name") or schedule.name)
                changed = self._edit(db, schedule, merged(schedule, changes), name, if_match)
        except IntegrityError as error:
            sentence = f"The agent has another schedule named {changes.get('name')!r}."
            raise Conflict(sentence) from error
        if changed:
            _log("Changed a schedule.", schedule)
            self._set_timer(schedule)
        return schedule

    def delete_schedule(self, schedule_id: str, *, if_match: Collection[int] | None = None) -> None:
        """Remove a schedule; what already runs is left to finish, and its sessions are kept.

        Backfilled ticks that wait are stopped.

        Raises:
            ScheduleNotFound: No schedule has this id.
            VersionMismatch: The present version is none of `if_match`.
        """
        with self._database.begin() as db:
            schedule = find_schedule(db, schedule_id, lock=True)
            _check_version(schedule, if_match)
            schedule.deleted_at = schedule.updated_at = self._clock()
            schedule.next_tick_at = schedule.next_run_at = None
        _log("Removed a schedule.", schedule)
        self._set_timer(schedule)
        if self._redis is not None:
            stop_waiting(self._database, self._redis, schedule_id, now=self._clock())

    def get_agent_schedules(self, agent_id: str) -> list[Schedule]:
        """All schedules of an agent, by name.

        Raises:
            AgentNotFound: No agent has this id.
        """
        with self._database.read() as db:
            query = select(Schedule).where(Schedule.agent_key == find_agent(db, agent_id).key)
            return list(db.scalars(live_schedules(query).order_by(Schedule.name)))

    def list_schedules(
        self, agent_id: str | None = None, *, page: int = 1, page_size: int = 50
    ) -> Page[Schedule]:
        """Schedules page by page, those of one agent or of all, by name and age.

        Raises:
            AgentNotFound: No agent has this id.
        """
        with self._database.read() as db:
            query = live_schedules(select(Schedule))
            if agent_id is not None:
                query = query.where(Schedule.agent_key == find_agent(db, agent_id).key)
            keys = query.with_only_columns(Schedule.id, maintain_column_froms=True)
            total = db.scalar(select(func.count()).select_from(keys.subquery())) or 0
            ordered = query.order_by(Schedule.name, Schedule.id)
            items = db.scalars(ordered.limit(page_size).offset((page - 1) * page_size)).all()
            return Page(items, page=page, page_size=page_size, total=total)

    def get_due_schedules(self) -> list[Schedule]:
        """Every schedule that will fire, with its agent, the next one first."""
        query = select(Schedule).where(Schedule.next_run_at.is_not(None))
        with self._database.read() as db:
            return list(db.scalars(query.order_by(Schedule.next_run_at, Schedule.id)))

    def validate_cron_expression(self, expression: str) -> str:
        """Check a cron expression.

        Returns:
            What it means, such as "At 09:00, Monday through Friday".

        Raises:
            InvalidInput: It is wrong or never fires; the reason in words.
        """
        try:
            parse_cron(expression)
        except InvalidSchedule as error:
            raise InvalidInput({"cronExpression": [str(error)]}) from error
        return describe(Recurrence(cron_expression=expression))

    def _put(
        self, agent_id: str, fields: Mapping[str, Any], if_match: Collection[int] | None
    ) -> tuple[Schedule, bool]:
        name = check_name(fields.get("name") or DEFAULT_NAME)
        with self._database.begin() as db:
            agent = find_agent(db, agent_id, share=True)
            schedule = _named(db, agent, name, lock=True)
            created = schedule is None
            if schedule is None:
                if if_match is not None:
                    raise VersionMismatch(f"There is no schedule {name!r} yet, so no version.")
                now, retries = self._clock(), self._max_retries
                schedule = insert_schedule(db, agent, name, fields, now=now, max_retries=retries)
                changed = True
            else:
                changed = self._edit(db, schedule, fields, name, if_match)
        if changed:
            _log("Created a schedule." if created else "Changed a schedule.", schedule)
            self._set_timer(schedule)
        return schedule, created

    def _edit(
        self,
        db: Session,
        schedule: Schedule,
        body: Mapping[str, Any],
        name: str,
        if_match: Collection[int] | None,
    ) -> bool:
        _check_version(schedule, if_match)
        now, retries = self._clock(), self._max_retries
        return edit_schedule(db, schedule, name, body, now=now, max_retries=retries)

    def _set_timer(self, schedule: Schedule) -> None:
        """Let the schedulers know; if Redis is away, their sweep finds it in the database."""
        reach("web.schedule-committed")
        if self._redis is None:
            return
        at = schedule.next_run_at
        move = TimerMove(TICK + schedule.id, None, at.timestamp() if at else None)
        try:
            hand_over(self._redis, [], [move])
        except RedisError as error:
            extra = {"schedule_id": schedule.id}
            logger.warning("Redis is away, the sweep will set the timer: %s", error, extra=extra)


def _log(sentence: str, schedule: Schedule) -> None:
    ids = {"schedule_id": schedule.id, "agent_id": schedule.agent.slug}
    logger.info(sentence, extra={**ids, "version": schedule.version})


_NAMED = live_schedules(
    select(Schedule).where(
        Schedule.agent_key == bindparam("agent_key"), Schedule.name == bindparam("name")
    )
)


def _named(db: Session, agent: Agent, name: str, *, lock: bool = False) -> Schedule | None:
    query = _NAMED.with_for_update(of=Schedule) if lock else _NAMED
    return db.scalars(query, {"agent_key": agent.key, "name": name}).one_or_none()


def _check_version(schedule: Schedule, if_match: Collection[int] | None) -> None:
    if if_match is not None and schedule.version not in if_match:
        named = " or ".join(str(version) for version in sorted(if_match)[:MAX_NAMED])
        raise VersionMismatch(
            f"Version {named} is not the current one, {schedule.version}; read it again."
        )
