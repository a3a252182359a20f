"""What a schedule would do, asked over REST."""

from datetime import timedelta
from typing import Any

import pytest

from neonhub.domain.states import SessionStatus
from neonhub.models import Agent, Schedule
from neonhub.models.finding import find_agent
from tests.factories import NOW, add_schedule, add_session
from tests.integration.api.conftest import Client

PATH = "/api/schedules/preview"
NIGHTLY = {"cronExpression": "30 2 * * *", "timezone": "America/New_York"}


def reporter(client: Client) -> Agent:
    with client.database.read() as db:
        return find_agent(db, "reporter")


def instants(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [each["at"] for each in answer.json["occurrences"]]


def test_ticks_are_shown_with_local_times_and_notes(client: Client) -> None:
    answer = client.post(PATH, {**NIGHTLY, "count": 2, "from": "2026-03-08T06:00:00Z"})
    assert answer.json == {
        "description": "At 02:30",
        "occurrences": [
            {
                "at": "2026-03-08T07:00:00Z",
                "local": "2026-03-08T03:00:00-04:00",
                "note": "02:30 does not exist, as the clocks go forward, and runs right after.",
            },
            {"at": "2026-03-09T06:30:00Z", "local": "2026-03-09T02:30:00-04:00", "note": None},
        ],
        "warnings": [],
    }


def test_ten_ticks_from_now_unless_told_otherwise(client: Client) -> None:
    seen = instants(client.post(PATH, {"cronExpression": "0 * * * *"}))
    assert len(seen) == 10
    assert seen[0] == "2026-03-02T12:00:00Z"  # now, which is a tick, is in it


@pytest.mark.parametrize("count", [1, 100])
def test_as_many_as_wanted(client: Client, count: int) -> None:
    assert len(instants(client.post(PATH, {"interval": 1, "count": count}))) == count


def test_an_interval_begins_one_interval_after_its_creation(client: Client) -> None:
    body = {"interval": "every 30 minutes", "count": 2}
    assert instants(client.post(PATH, body))[0] == "2026-03-02T12:30:00Z"
    later = {**body, "from": "2026-07-01T00:10:00Z"}
    assert instants(client.post(PATH, later))[0] == "2026-07-01T00:40:00Z"
    anchored = {**later, "startAt": "2026-07-01T00:10:00Z"}
    assert instants(client.post(PATH, anchored))[0] == "2026-07-01T00:10:00Z"


def test_max_runs_and_the_window_end_it(client: Client) -> None:
    hourly = {"cronExpression": "0 * * * *", "count": 100}
    assert len(instants(client.post(PATH, {**hourly, "maxRuns": 3}))) == 3
    ended = {**hourly, "startAt": "2026-03-02T14:00:00Z", "endAt": "2026-03-02T16:00:00Z"}
    assert instants(client.post(PATH, ended)) == [
        f"2026-03-02T{hour}:00:00Z" for hour in (14, 15, 16)
    ]


def test_the_far_future_has_ticks_as_well(client: Client) -> None:
    late = {"cronExpression": "0 0 31 12 *", "from": "8999-06-01T00:00:00Z", "count": 2}
    assert instants(client.post(PATH, late)) == ["8999-12-31T00:00:00Z", "9000-12-31T00:00:00Z"]


def test_one_instant(client: Client) -> None:
    body = {"runAt": "2027-01-01T00:00:00Z"}
    assert instants(client.post(PATH, body)) == ["2027-01-01T00:00:00Z"]


def test_it_creates_nothing(client: Client) -> None:
    client.post(PATH, NIGHTLY)
    with client.database.read() as db:
        assert db.query(Schedule).count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**NIGHTLY, "count": 0}, "count"),
        ({**NIGHTLY, "count": 101}, "count"),
        ({**NIGHTLY, "count": "ten"}, "count"),
        ({**NIGHTLY, "from": "2026-03-08T06:00:00"}, "from"),
        ({**NIGHTLY, "from": "yesterday"}, "from"),
        ({**NIGHTLY, "from": "9999-12-31T23:00:00Z"}, "from"),
        ({**NIGHTLY, "surprise": 1}, "surprise"),
        ({**NIGHTLY, "timezone": "america/new_york"}, "timezone"),
        ({**NIGHTLY, "interval": 5}, "interval"),
        ({**NIGHTLY, "catchUpWindowSeconds": -1}, "catchUpWindowSeconds"),
        ({**NIGHTLY, "maxRuns": 0}, "maxRuns"),
        ({"cronExpression": "*/5 * * * *", "jitterSeconds": 300}, "jitterSeconds"),
        ({**NIGHTLY, "endAt": "2020-01-01T00:00:00Z"}, "endAt"),
        (
            {**NIGHTLY, "startAt": "2027-02-01T00:00:00Z", "endAt": "2027-01-01T00:00:00Z"},
            "endAt",
        ),
        ({}, "cronExpression"),
    ],
)
def test_what_is_wrong_is_named(client: Client, body: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]["json"]) == [field]


def test_aliases_of_zones_stay_as_given(client: Client) -> None:
    body = {"cronExpression": "0 9 * * *", "timezone": "US/Eastern", "count": 1}
    assert instants(client.post(PATH, body)) == ["2026-03-02T14:00:00Z"]


def warnings(client: Client, body: dict[str, Any]) -> list[str]:
    answer = client.post(PATH, body)
    assert answer.status_code == 200, answer.json
    found: list[str] = answer.json["warnings"]
    return found


def test_never_firing_is_warned_of(client: Client) -> None:
    window = {"startAt": "2026-03-03T00:00:00Z", "endAt": "2026-03-03T01:00:00Z"}
    assert "never fires" in warnings(client, {**NIGHTLY, **window})[0]
    assert "never fires" in warnings(client, {**NIGHTLY, "enabled": False})[0]


def test_jitter_is_told(client: Client) -> None:
    assert "0 to 60 s" in warnings(client, {**NIGHTLY, "jitterSeconds": 60})[0]


def test_ticks_denser_than_runs_are_warned_of(client: Client) -> None:
    agent = reporter(client)
    for _ in range(3):
        add_session(
            client.database,
            agent,
            status=SessionStatus.COMPLETED,
            started_at=NOW,
            finished_at=NOW + timedelta(seconds=90),
        )
    often = {"interval": "every minute", "agentId": "reporter"}
    assert "every 60 s" in warnings(client, often)[0]
    assert "takes 90.0 s" in warnings(client, often)[0]
    assert warnings(client, {"interval": "2m", "agentId": "reporter"}) == []
    assert warnings(client, {"interval": "every minute"}) == []


def test_an_agent_that_never_ran_warns_of_nothing(client: Client) -> None:
    assert warnings(client, {"interval": 1, "agentId": "reporter"}) == []
    assert client.post(PATH, {"interval": 1, "agentId": "nobody"}).status_code == 404


def test_a_storm_on_the_hour_is_warned_of(client: Client) -> None:
    agent = reporter(client)
    nine = NOW.replace(hour=9) + timedelta(days=1)
    for number in range(20):
        add_schedule(client.database, agent, name=f"s{number}", next_tick_at=nine)
    assert "20 other schedules" in warnings(client, {"cronExpression": "0 9 * * *"})[0]
    assert warnings(client, {"cronExpression": "7 9 * * *"}) == []
