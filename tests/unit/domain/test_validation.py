"""A schedule's body: what is accepted, what is refused, and that all problems are told at once."""

from datetime import timedelta
from typing import Any

import pytest

from neonhub.domain.states import Priority
from neonhub.domain.validation import ScheduleFields, validate_schedule
from neonhub.errors import InvalidInput
from tests.factories import NOW

LATER = NOW + timedelta(days=1)


def validate(**fields: Any) -> ScheduleFields:
    return validate_schedule(fields, now=NOW)


def errors(**fields: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        validate(**fields)
    return caught.value.errors


def test_what_is_left_out_has_its_default() -> None:
    checked = validate(cron_expression="0 9 * * *")
    assert (checked.timezone, checked.priority, checked.enabled) == ("UTC", Priority.NORMAL, True)
    assert (checked.max_retries, checked.timeout_seconds) == (3, 600)
    assert (checked.overlap, checked.catch_up, checked.catch_up_window_seconds) == (
        "SKIP",
        "LATEST",
        3600,
    )


def test_none_means_left_out() -> None:
    assert validate(interval=60, run_at=None, max_runs=None) == validate(interval=60)


@pytest.mark.parametrize(
    ("fields", "at_fault", "words"),
    [
        ({}, "cronExpression", "One of"),
        ({"interval": 60, "run_at": LATER}, "runAt", "Only one"),
        ({"cron_expression": "0 9 * * *", "interval": 60}, "interval", "Only one"),
        ({"cron_expression": "* * *"}, "cronExpression", "3 fields"),
        ({"cron_expression": "0 0 31 2 *"}, "cronExpression", "never fires"),
        ({"cron_expression": "0 22-4 * * *"}, "cronExpression", "does not go upwards"),
        ({"cron_expression": "*/90 * * * *"}, "cronExpression", "step of 90"),
        ({"cron_expression": "0 0 1-31/32 * *"}, "cronExpression", "step of 32"),
        ({"interval": "soon"}, "interval", "every 30 minutes"),
        ({"run_at": NOW - timedelta(seconds=1)}, "runAt", "past"),
        ({"run_at": LATER, "end_at": NOW + timedelta(hours=1)}, "runAt", "outside"),
        ({"run_at": "tomorrow"}, "runAt", "instant"),
        ({"run_at": "2027-01-01T00:00:00"}, "runAt", "zone"),
        (
            {"interval": 60, "start_at": LATER, "end_at": NOW + timedelta(hours=1)},
            "endAt",
            "before",
        ),
        ({"interval": 60, "end_at": NOW}, "endAt", "past"),
        ({"interval": 60, "max_runs": 0}, "maxRuns", "from 1"),
        ({"interval": 60, "max_runs": 1.5}, "maxRuns", "whole"),
        ({"interval": 60, "max_retries": -1}, "maxRetries", "from 0"),
        ({"interval": 60, "timeout_seconds": 0}, "timeoutSeconds", "from 1"),
        ({"interval": 60, "timeout_seconds": True}, "timeoutSeconds", "whole"),
        ({"interval": 60, "catch_up_window_seconds": -1}, "catchUpWindowSeconds", "from 0"),
        ({"interval": 60, "jitter_seconds": 60}, "jitterSeconds", "distance"),
        ({"cron_expression": "*/5 * * * *", "jitter_seconds": 300}, "jitterSeconds", "distance"),
        ({"interval": 60, "priority": "URGENT"}, "priority", "CRITICAL"),
        ({"interval": 60, "overlap": "skip"}, "overlap", "SKIP"),
        ({"interval": 60, "catch_up": "SOME"}, "catchUp", "LATEST"),
        ({"interval": 60, "enabled": "yes"}, "enabled", "true or false"),
        ({"interval": 60, "input": []}, "input", "object"),
        ({"interval": 60, "timezone": "Europe/Berlin"}, "timezone", "Only a cronExpression"),
        (
            {"cron_expression": "0 9 * * *", "timezone": "europe/berlin"},
            "timezone",
            "Europe/Berlin",
        ),
        ({"cron_expression": "0 9 * * *", "timezone": "Mars/Base"}, "timezone", "such as"),
        ({"cron_expression": "0 9 * * *", "timezone": ""}, "timezone", "such as"),
        ({"cron_expression": "0 9 * * *", "timezone": "localtime"}, "timezone", "IANA"),
    ],
)
def test_what_is_wrong_is_told_by_field(fields: dict[str, Any], at_fault: str, words: str) -> None:
    found = errors(**fields)
    assert words in " ".join(found[at_fault])


def test_all_problems_are_told_at_once() -> None:
    found = errors(interval="soon", max_runs=0, priority="URGENT")
    assert set(found) == {"interval", "maxRuns", "priority"}


@pytest.mark.parametrize("zone", ["US/Eastern", "Asia/Calcutta", "UTC", "Etc/GMT+5"])
def test_aliases_stay_as_given(zone: str) -> None:
    assert validate(cron_expression="0 9 * * *", timezone=zone).timezone == zone


def test_an_instant_in_the_past_that_is_stored_already_may_stay() -> None:
    past = NOW - timedelta(days=1)
    stored = {"end_at": past}
    fields = {"interval": 60, "end_at": past}
    assert validate_schedule(fields, now=NOW, stored=stored).end_at == past
    assert errors(**fields)["endAt"]


def test_instants_become_utc() -> None:
    checked = validate(run_at="2027-01-01T00:00:00+02:00")
    assert checked.run_at is not None
    assert checked.run_at.isoformat() == "2026-12-31T22:00:00+00:00"
