"""Many schedules at once, written as rows, for questions of size."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import insert

from neonhub.database import Database
from neonhub.models import Agent, Schedule
from tests.factories import NOW, add_agent, add_fleet, add_schedule

BATCH = 5000


def prepare_agent(database: Database) -> Agent:
    """The fleet's limits and one agent that does nothing."""
    add_fleet(database)
    return add_agent(database, kind="noop")


def add_schedules(
    database: Database, agent: Agent, instants: Sequence[datetime], **values: Any
) -> None:
    """Insert one schedule, every minute, for each instant it is due at next."""
    template = add_schedule(database, agent, next_tick_at=instants[0], **values)
    same = {column.key: getattr(template, column.key) for column in Schedule.__table__.columns}
    rows = _rows(same, instants[1:])
    while batch := list(islice(rows, BATCH)):
        with database.begin() as db:
            db.execute(insert(Schedule), batch)


def spread(count: int, *, due: int) -> list[datetime]:
    """Instants of which so many are due at NOW, and the rest later within a day."""
    day = timedelta(days=1)
    return [NOW] * due + [NOW + (day * n) / count for n in range(1, count - due + 1)]


def _rows(same: dict[str, Any], instants: Sequence[datetime]) -> Iterator[dict[str, Any]]:
    for n, at in enumerate(instants):
        key = {"id": f"{n:032x}", "name": f"schedule-{n}"}
        yield same | key | {"next_tick_at": at, "next_run_at": at, "anchor_at": at}
