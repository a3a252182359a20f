"""Schedules over REST."""

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.api.conftest import Client

PATH = "/api/agents/reporter/schedule"
DAILY = {"cronExpression": "0 9 * * 1-5", "timezone": "Europe/Berlin"}


def test_a_schedule_is_created_with_its_defaults(client: Client) -> None:
    made = client.post(PATH, DAILY)
    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    assert made.headers["Location"] == f"/api/schedules/{made.json['id']}"
    expected: dict[str, Any] = {
        **DAILY,
        "interval": None,
        "runAt": None,
        "priority": "NORMAL",
        "enabled": True,
        "input": {},
        "maxRetries": 3,
        "timeoutSeconds": 600,
        "startAt": None,
        "endAt": None,
        "maxRuns": None,
        "jitterSeconds": 0,
        "overlap": "SKIP",
        "catchUp": "LATEST",
        "catchUpWindowSeconds": 3600,
        "agentId": "reporter",
        "name": "default",
        "version": 1,
        "description": "At 09:00, Monday through Friday",
        "paused": False,
        "pauseReason": None,
        "skipNext": False,
        "nextRunAt": "2026-03-03T08:00:00Z",
        "lastRunAt": None,
        "lastStatus": None,
        "createdAt": "2026-03-02T12:00:00Z",
        "updatedAt": "2026-03-02T12:00:00Z",
    }
    assert {**expected, "id": made.json["id"]} == made.json
    assert client.get(PATH).json == made.json


def test_every_field_is_stored_and_read_back(client: Client) -> None:
    body = {
        **DAILY,
        "priority": "CRITICAL",
        "enabled": False,
        "input": {"deep": [1, {"x": None}]},
        "maxRetries": 0,
        "timeoutSeconds": 5,
        "startAt": "2026-04-01T00:00:00Z",
        "endAt": "2026-05-01T00:00:00.500000Z",
        "maxRuns": 7,
        "jitterSeconds": 30,
        "overlap": "QUEUE_ONE",
        "catchUp": "ALL",
        "catchUpWindowSeconds": 0,
    }
    client.post(PATH, body)
    found = client.get(PATH).json
    assert {name: found[name] for name in body} == body
    assert found["nextRunAt"] is None


def test_an_equal_body_changes_nothing_whatever_the_clock_says(client: Client) -> None:
    first = client.post(PATH, {"interval": "every 10 minutes"})
    client.now += timedelta(minutes=7)
    again = client.post(PATH, {"interval": "every 10 minutes"})
    assert (again.status_code, again.json) == (200, first.json)


def test_another_body_is_an_update(client: Client) -> None:
    client.post(PATH, {**DAILY, "maxRetries": 1})
    updated = client.post(PATH, {"interval": "90s"})
    assert (updated.status_code, updated.json["version"]) == (200, 2)
    assert (updated.json["cronExpression"], updated.json["maxRetries"]) == (None, 3)
    assert updated.json["nextRunAt"] == "2026-03-02T12:01:30Z"


def test_patch_changes_single_fields_and_null_sets_the_default(client: Client) -> None:
    made = client.post(PATH, {**DAILY, "maxRetries": 1}).json
    path = f"/api/schedules/{made['id']}"
    assert client.patch(path, {"priority": "LOW"}).json["maxRetries"] == 1
    changed = client.patch(path, {"maxRetries": None}).json
    assert (changed["maxRetries"], changed["priority"], changed["version"]) == (3, "LOW", 3)
    assert changed["nextRunAt"] == made["nextRunAt"]


def test_the_version_guards_against_a_lost_update(client: Client) -> None:
    made = client.post(PATH, DAILY)
    path = f"/api/schedules/{made.json['id']}"
    stale = {"If-Match": made.headers["ETag"]}
    assert client.patch(path, {"priority": "LOW"}, headers=stale).status_code == 200
    lost = client.patch(path, {"priority": "HIGH"}, headers=stale)
    assert (lost.status_code, client.get(path).json["priority"]) == (412, "LOW")
    assert client.post(PATH, {"interval": 5}, headers=stale).status_code == 412
    assert client.delete(path, headers=stale).status_code == 412
    assert client.delete(path, headers={"If-Match": '"2"'}).status_code == 204


@pytest.mark.parametrize("tag", ["x", '"x"', "-1", "1.5", '"99999999999999999999"'])
def test_a_tag_that_was_never_given_is_not_current(client: Client, tag: str) -> None:
    client.post(PATH, DAILY)
    assert client.post(PATH, {"interval": 5}, headers={"If-Match": tag}).status_code == 412


def test_an_agent_may_have_several(client: Client) -> None:
    client.post(PATH, DAILY)
    path = "/api/agents/reporter/schedules"
    assert client.post(path, {"name": "nightly", "interval": 60}).status_code == 201
    assert client.post(path, {"name": "nightly", "interval": 90}).status_code == 200
    listed = client.get(path).json
    assert [schedule["name"] for schedule in listed["items"]] == ["default", "nightly"]
    assert listed["total"] == 2
    nightly = client.get(f"/api/schedules/{listed['items'][1]['id']}").json
    assert nightly["interval"] == 90
    taken = client.patch(f"/api/schedules/{nightly['id']}", {"name": "default"})
    assert taken.status_code == 409


def test_a_removed_schedule_is_gone(client: Client) -> None:
    made = client.post(PATH, DAILY).json
    assert client.delete(PATH).status_code == 204
    assert client.get(PATH).status_code == 404
    assert client.delete(PATH).status_code == 404
    assert client.get(f"/api/schedules/{made['id']}").status_code == 404
    assert client.post(PATH, DAILY).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "cronExpression"),
        ({**DAILY, "interval": 60}, "interval"),
        ({"cronExpression": "* * * * * *"}, "cronExpression"),
        ({"cronExpression": "@reboot"}, "cronExpression"),
        ({"cronExpression": "0 0 31 2 *"}, "cronExpression"),
        ({"cronExpression": 5}, "cronExpression"),
        ({"cronExpression": "*" * 300}, "cronExpression"),
        ({"cronExpression": "0 9 * * *", "timezone": "europe/berlin"}, "timezone"),
        ({"cronExpression": "0 9 * * *", "timezone": "../../etc/passwd"}, "timezone"),
        ({"interval": "500ms"}, "interval"),
        ({"interval": 0.5}, "interval"),
        ({"interval": True}, "interval"),
        ({"interval": []}, "interval"),
        ({"interval": 10**400}, "interval"),
        ({"runAt": "2027-01-01T00:00:00"}, "runAt"),
        ({"runAt": "2020-01-01T00:00:00Z"}, "runAt"),
        ({"runAt": 5}, "runAt"),
        ({"interval": 60, "priority": "normal"}, "priority"),
        ({"interval": 60, "enabled": "yes"}, "enabled"),
        ({"interval": 60, "enabled": 1}, "enabled"),
        ({"interval": 60, "input": []}, "input"),
        ({"interval": 60, "maxRetries": -1}, "maxRetries"),
        ({"interval": 60, "maxRetries": "3"}, "maxRetries"),
        ({"interval": 60, "maxRetries": 10**30}, "maxRetries"),
        ({"interval": 60, "timeoutSeconds": 0}, "timeoutSeconds"),
        ({"interval": 60, "timeoutSeconds": 1.5}, "timeoutSeconds"),
        ({"interval": 60, "maxRuns": 0}, "maxRuns"),
        ({"interval": 60, "jitterSeconds": 60}, "jitterSeconds"),
        ({"interval": 60, "overlap": "MAYBE"}, "overlap"),
        ({"interval": 60, "catchUp": "MAYBE"}, "catchUp"),
        ({"interval": 60, "catchUpWindowSeconds": -1}, "catchUpWindowSeconds"),
        ({"interval": 60, "endAt": "2026-03-02T11:00:00Z"}, "endAt"),
        ({"interval": 60, "startAt": "0001-01-01T00:00:00+14:00"}, "startAt"),
        ({"interval": 60, "cron_expression": "* * * * *"}, "cron_expression"),
        ({"cronExpression": ""}, "cronExpression"),
        ({"cronExpression": "* " * 5000}, "cronExpression"),
        ({"interval": "every fortnightly"}, "interval"),
        ({"interval": 0}, "interval"),
        ({"interval": -5}, "interval"),
        ({"interval": 10**12}, "interval"),
        ({"interval": 60, "name": "x"}, "name"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_changes_nothing(
    client: Client, body: Any, field: str
) -> None:
    answer = client.post(PATH, body)
    assert answer.status_code == 422, answer.json
    assert field in answer.json["errors"]["json"]
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        *(('"1"', 200), ('"7", "1"', 200), ('W/"1","2"', 200), ('"other", "1"', 200), ("*", 200)),
        *(('"2"', 412), ('"2", "3"', 412), ('"other"', 412), ("", 412), (" ", 412), (",", 412)),
    ],
)
def test_any_of_the_versions_may_match(client: Client, tags: str, code: int) -> None:
    made = client.post(PATH, DAILY).json
    path = f"/api/schedules/{made['id']}"
    assert client.patch(path, {"priority": "LOW"}, headers={"If-Match": tags}).status_code == code


def test_any_version_is_none_where_there_is_no_schedule(client: Client) -> None:
    assert client.post(PATH, DAILY, headers={"If-Match": "*"}).status_code == 412
    assert client.get(PATH).status_code == 404


def test_an_instant_may_be_written_in_lower_case(client: Client) -> None:
    made = client.post(PATH, {"runAt": "2026-03-02t14:00:00.5z"})
    assert (made.status_code, made.json["runAt"]) == (201, "2026-03-02T14:00:00.500000Z")


WITHOUT_A_TICK = [
    {**DAILY, "endAt": "2026-03-02T13:00:00Z"},
    {**DAILY, "endAt": "2026-03-02T13:00:00Z", "enabled": False},
    {**DAILY, "startAt": "2026-03-05T10:00:00Z", "endAt": "2026-03-05T13:00:00Z"},
    {"interval": "2h", "endAt": "2026-03-02T13:00:00Z"},
    {"interval": "2h", "startAt": "2026-03-02T11:30:00Z", "endAt": "2026-03-02T13:00:00Z"},
]


@pytest.mark.parametrize("body", WITHOUT_A_TICK)
def test_a_window_without_a_tick_is_refused(client: Client, body: Any) -> None:
    answer = client.post(PATH, body)
    assert answer.status_code == 422, answer.json
    assert "No tick lies between" in answer.json["errors"]["json"]["endAt"][0]
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize("body", WITHOUT_A_TICK)
def test_a_window_is_not_changed_to_one_without_a_tick(client: Client, body: Any) -> None:
    before = client.post(PATH, {"interval": "1h"}).json
    for answer in (client.patch(f"/api/schedules/{before['id']}", body), client.post(PATH, body)):
        assert (answer.status_code, *answer.json["errors"]["json"]) == (422, "endAt")
    assert client.get(PATH).json == before


def test_what_is_over_is_taken_as_long_as_its_times_stay(client: Client) -> None:
    body = {"interval": "1h", "endAt": "2026-03-02T14:00:00Z", "enabled": False}
    schedule = client.post(PATH, body).json
    client.now += timedelta(days=1)
    path = f"/api/schedules/{schedule['id']}"
    assert client.post(PATH, body).status_code == 200
    assert client.patch(path, {"priority": "HIGH"}).status_code == 200
    assert client.patch(path, {"enabled": True}).status_code == 200
    assert client.patch(path, {"startAt": "2026-03-02T13:00:00Z"}).status_code == 422


def test_several_problems_are_told_at_once(client: Client) -> None:
    answer = client.post(PATH, {"interval": 60, "maxRuns": 0, "jitterSeconds": -1})
    assert set(answer.json["errors"]["json"]) == {"maxRuns", "jitterSeconds"}


def test_a_schedule_of_nobody_is_not_found(client: Client) -> None:
    path = "/api/agents/nobody/schedule"
    answers = [client.get(path), client.post(path, DAILY), client.delete(path)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
