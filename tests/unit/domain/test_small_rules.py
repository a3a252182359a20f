"""Backoff, jitter and words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonhub.domain.backoff import backoff_ms
from neonhub.domain.description import describe
from neonhub.domain.jitter import jitter_for
from neonhub.domain.schedule import Recurrence


def test_waits_double_up_to_the_cap() -> None:
    waits = [backoff_ms(n, 1000, 300_000) for n in range(1, 12)]
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert waits[-2:] == [300_000, 300_000]


@given(st.integers(1, 10_000))
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    assert 0 < backoff_ms(failures, 1, 300_000) <= 300_000


@given(st.text(min_size=1), st.integers(0, 86_400))
def test_jitter_is_stable_and_within_its_bound(schedule_id: str, seconds: int) -> None:
    jitter = jitter_for(schedule_id, seconds)
    assert timedelta() <= jitter <= timedelta(seconds=seconds)
    assert jitter == jitter_for(schedule_id, seconds)


def test_jitter_spreads_schedules() -> None:
    minutes = {int(jitter_for(f"schedule-{n}", 3600).total_seconds() // 60) for n in range(1000)}
    assert len(minutes) > 55


@pytest.mark.parametrize(
    ("rec", "words"),
    [
        (Recurrence(cron_expression="0 9 * * 1-5"), "At 09:00, Monday through Friday"),
        (Recurrence(cron_expression="@daily"), "At 00:00"),
        (Recurrence(cron_expression="0 9 * 5,* 1"), "At 09:00, only on Monday"),
        (Recurrence(cron_expression="0 5,*/12 * * *"), "At 00:00, 05:00 and 12:00"),
        (
            Recurrence(cron_expression="0 9 * * 0,2/3"),
            "At 09:00, only on Sunday, Tuesday, and Friday",
        ),
        (
            Recurrence(cron_expression="*/30 9-17 * * *"),
            "Every 30 minutes, between 09:00 and 17:59",
        ),
        (Recurrence(interval_seconds=1800), "Every 30 minutes"),
        (Recurrence(interval_seconds=86_400), "Every day"),
        (Recurrence(interval_seconds=90), "Every 90 seconds"),
        (Recurrence(interval_seconds=1.5), "Every 1.5 seconds"),
        (
            Recurrence(run_at=datetime(2026, 3, 8, 7, tzinfo=UTC)),
            "Once at 2026-03-08T07:00:00Z",
        ),
    ],
)
def test_schedules_in_words(rec: Recurrence, words: str) -> None:
    assert describe(rec) == words
