"""How long does it take to work out ticks: the next one, a million counted, a preview?"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from croniter import croniter

from bench.result import Result, repeat_ms
from bench.services import Services
from bench.target import at_most
from neonhub.domain.local_days import instants_on, plain_start
from neonhub.domain.occurrences import count_ticks, next_of_cron, next_tick
from neonhub.domain.schedule import Recurrence
from neonhub.scheduling.preview import preview

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "America/New_York"
EXPRESSIONS = ("0 9 * * 1-5", "*/30 9-17 * * 1-5", "0 */6 * * *", "0 2 * * 0", "15 3 1 * *")
"""Three of the five seeds, and what runs weekly and monthly."""

TICKS = 500
"""Of each expression, one after another from an instant of its own."""

MILLION = timedelta(minutes=1_000_000)
LIMIT_NEXT_US = 25
LIMIT_PREVIEW_MS = 5


def measure(services: Services, *, runs: int) -> list[Result]:
    """The rows of this question; it needs no server but for the preview's warnings."""
    theirs = _per_tick(_croniter, runs)
    ours = _per_tick(_neonhub, runs)
    question = "next tick of a cron expression"
    their_row = Result(question=question, case="croniter", unit="µs", samples=theirs)
    our_row = Result(
        question=question,
        case="NeonHub, nothing remembered",
        unit="µs",
        samples=ours,
        targets=[at_most(LIMIT_NEXT_US)],
        peers={"croniter": their_row.median},
    )
    return [their_row, our_row, *_counted(runs), _previewed(services, runs)]


def _per_tick(walk: Callable[[], None], runs: int) -> list[float]:
    count = len(EXPRESSIONS) * TICKS
    samples = repeat_ms(walk, runs=runs, before=_forget)
    return [1000 * sample / count for sample in samples]


def _neonhub() -> None:
    for expression in EXPRESSIONS:
        rec = Recurrence(cron_expression=expression, timezone=ZONE)
        at: datetime | None = START
        for _ in range(TICKS):
            assert at is not None
            at = next_tick(rec, at)


def _croniter() -> None:
    for expression in EXPRESSIONS:
        ticks = croniter(expression, START.astimezone(ZoneInfo(ZONE)))
        for _ in range(TICKS):
            ticks.get_next(datetime)


def _forget() -> None:
    for remembering in (next_of_cron, instants_on, plain_start):
        remembering.cache_clear()


def _counted(runs: int) -> list[Result]:
    results = []
    every_minute = Recurrence(cron_expression="* * * * *", timezone=ZONE)
    every_second = Recurrence(interval_seconds=1, anchor=START)
    for name, rec, window in (
        ("cron, every minute", every_minute, MILLION),
        ("interval, every second", every_second, MILLION / 60),
    ):
        assert count_ticks(rec, START, START + window) == 1_000_000
        count = partial(count_ticks, rec, START, START + window)
        samples = repeat_ms(count, runs=runs, before=_forget)
        results.append(
            Result(question="1,000,000 ticks counted", case=name, unit="ms", samples=samples)
        )
    return results


def _previewed(services: Services, runs: int) -> Result:
    chance = random.Random(1)
    with services.database("sqlite") as database:

        def show() -> None:
            since = START + timedelta(days=chance.random() * 365)
            body = {"cron_expression": "30 2 * * *", "timezone": ZONE}
            seen = preview(database, body, now=START, since=since, count=100)
            assert len(seen.occurrences) == 100

        samples = repeat_ms(show, runs=runs, before=_forget)
    return Result(
        question="preview of 100 ticks",
        case="a year with two clock changes",
        unit="ms",
        samples=samples,
        targets=[at_most(LIMIT_PREVIEW_MS)],
    )
