"""Bodies are merged, compared and kept."""

from datetime import UTC, datetime
from typing import Any

import pytest

from neonhub.config import load_settings
from neonhub.domain.validation import ScheduleFields, validate_schedule
from neonhub.models import Schedule
from neonhub.scheduling.options import SchedulerOptions
from neonhub.scheduling.schedule_body import apply, body_of, is_same, merged, version_body

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = {"cron_expression": "0 9 * * *", "timezone": "Europe/Berlin"}


def checked(**body: Any) -> ScheduleFields:
    return validate_schedule(body, now=NOW)


def schedule(**body: Any) -> Schedule:
    row = Schedule(name="default")
    apply(row, checked(**body))
    return row


def test_what_is_not_changed_stays() -> None:
    row = schedule(**BERLIN, priority="LOW")
    assert merged(row, {"max_retries": 1}) == {**body_of(row), "max_retries": 1}


def test_another_recurrence_drops_the_old_one_and_its_zone() -> None:
    body = merged(schedule(**BERLIN), {"interval": "1h"})
    assert (body["cron_expression"], body["interval"], body["timezone"]) == (None, "1h", None)


def test_another_expression_keeps_the_zone() -> None:
    body = merged(schedule(**BERLIN), {"cron_expression": "@daily"})
    assert (body["cron_expression"], body["timezone"]) == ("@daily", "Europe/Berlin")


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1}, {"a": True}), ({"a": 1}, {"a": 1.0}), ({"a": 1}, {})]
)
def test_inputs_that_differ_in_json_are_not_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert is_same(checked(**BERLIN, input=one), checked(**BERLIN, input=dict(one)))
    assert not is_same(checked(**BERLIN, input=one), checked(**BERLIN, input=other))


def test_a_version_is_kept_as_clients_write_it() -> None:
    body = version_body(schedule(**BERLIN, start_at=NOW))
    assert body["cronExpression"] == "0 9 * * *"
    assert body["startAt"] == NOW.isoformat()
    assert body["anchorAt"] is None


def test_a_scheduler_takes_its_options_from_the_settings() -> None:
    settings = load_settings({"SCHEDULER_CHECK_INTERVAL": "5000", "SCHEDULER_MAX_RETRIES": "7"})
    options = SchedulerOptions.from_settings(settings)
    assert (options.check_interval_ms, options.max_retries) == (5000, 7)
