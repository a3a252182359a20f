"""Many schedules at once: the same mix of expressions, zones and intervals at every size."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    case,
    cast,
    insert,
    literal,
    select,
)

from bench.filling import settle, without_indexes
from neonhub.database import Database
from neonhub.domain.states import Priority
from neonhub.models import Agent, Schedule
from neonhub.models.types import UtcDateTime
from tests.factories import add_agent, add_fleet

MONDAY_NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
"""What is due first is due then; no zone of the mix changes its clocks for months."""

SHAPES = 2000
"""How many schedules differ in more than their id; as many can be due."""

AGENTS = 50

_ZONES = (
    *("UTC", "Europe/London", "Europe/Berlin", "Europe/Kyiv", "Africa/Lagos", "Africa/Nairobi"),
    *("America/New_York", "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo"),
    *("America/Bogota", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo"),
    *("Asia/Shanghai", "Australia/Sydney", "Pacific/Auckland"),
)
_SHAPES = (
    *("{m} {h} * * *", "{m} {h} * * 1-5", "{m} {h} * * {d}", "{m} * * * *", "*/5 * * * *"),
    *("*/15 * * * *", "{m} 0-23 * * {d}", "{m} {h} 1-7,15 * {d}"),
)
_INTERVALS = (60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86_400.0)
_PRIORITIES = (
    *[Priority.NORMAL] * 12,
    *[Priority.LOW] * 4,
    *[Priority.HIGH] * 3,
    Priority.CRITICAL,
)


def fill(database: Database, count: int, *, due: int) -> None:
    """Write a fleet, its agents and so many schedules; the first few are due by Monday noon.

    Seven of ten have a cron expression in one of 18 zones, the others an interval on a grid of
    their own. Those that are due are the same at every size, and lie apart from each other; the
    rest is due a year later.
    """
    add_fleet(database)
    agents = [add_agent(database, f"agent-{n}") for n in range(AGENTS)]
    names = [column.name for column in Schedule.__table__.columns]
    with database.begin() as db:
        connection = db.connection()
        _TABLE.create(connection)
        connection.execute(insert(_TABLE), list(_shapes(agents)))
        with without_indexes(connection, "schedules"):
            connection.execute(insert(Schedule).from_select(names, _rows(count, due)))
        _TABLE.drop(connection)
    settle(database)


def _shapes(agents: list[Agent]) -> Iterator[dict[str, Any]]:
    """Cron expressions are due at noon, intervals within the second before."""
    expressions = [_fitted(shape, zone) for shape, zone in product(_SHAPES, _ZONES)]
    for n in range(SHAPES):
        priority = _PRIORITIES[n % len(_PRIORITIES)]
        shape: dict[str, Any] = dict.fromkeys(_TABLE.columns.keys()) | _SAME
        shape |= {"shape": n, "agent_key": agents[n % AGENTS].key}
        shape |= {"priority": priority.value, "priority_rank": priority.rank}
        if n % 10 < 7:
            at = MONDAY_NOON
            shape["cron_expression"], shape["timezone"] = expressions[n % len(expressions)]
        else:
            at = MONDAY_NOON - timedelta(microseconds=487 * n)
            seconds = _INTERVALS[n % len(_INTERVALS)]
            shape |= {"interval_seconds": seconds, "interval": seconds, "anchor_at": at}
        idle_at = MONDAY_NOON + timedelta(days=365 + n / SHAPES)
        yield shape | {"next_tick_at": at, "next_run_at": at, "idle_at": idle_at}


_SAME = {
    "version": 1,
    "enabled": True,
    "timezone": "UTC",
    "input": {"topic": "news"},
    "max_retries": 3,
    "timeout_seconds": 600,
    "jitter_seconds": 0,
    "overlap": "SKIP",
    "catch_up": "LATEST",
    "catch_up_window_seconds": 3600,
    "run_count": 0,
    "skip_next": False,
    "created_at": MONDAY_NOON,
    "updated_at": MONDAY_NOON,
}

_TABLE = Table(
    "bench_shapes",
    MetaData(),
    Column("shape", Integer, primary_key=True),
    Column("idle_at", UtcDateTime()),
    *(Column(column.name, column.type) for column in Schedule.__table__.columns),
    prefixes=["TEMPORARY"],
)


def _fitted(shape: str, zone: str) -> tuple[str, str]:
    """An expression with the minute, hour and weekday that its zone has at noon UTC."""
    local = MONDAY_NOON.astimezone(ZoneInfo(zone))
    return shape.format(m=local.minute, h=local.hour, d=local.isoweekday() % 7), zone


def _rows(count: int, due: int) -> Select[Any]:
    """Every so many rows one that is due; a schedule's number begins its id."""
    series = select(literal(0).label("n")).cte("series", recursive=True)
    series = series.union_all(select(series.c.n + 1).where(series.c.n < count - 1))
    n, step = series.c.n, count // max(due, 1)
    is_due = (n % step == 0) & (n < due * step)
    shape = case((is_due, n // step), else_=n % SHAPES)
    number = cast(n + 10**9, Text)
    own = {
        "id": literal("5c4ed01e000070008000bb") + number,
        "name": literal("schedule-") + number,
        "next_tick_at": case((is_due, _TABLE.c.next_tick_at), else_=_TABLE.c.idle_at),
        "next_run_at": case((is_due, _TABLE.c.next_run_at), else_=_TABLE.c.idle_at),
    }
    columns = [own.get(column.name, _TABLE.c[column.name]) for column in Schedule.__table__.columns]
    joined = select(*columns).select_from(series).join(_TABLE, _TABLE.c.shape == shape)
    return joined.order_by(n)
