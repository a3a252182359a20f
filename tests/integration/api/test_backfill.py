"""Running the ticks of a past range, over REST."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from neonhub.execution.lifeline import Lifeline
from neonhub.models.finding import find_agent
from tests.factories import NOW, add_session
from tests.integration.api.conftest import Client
from tests.steps import decide_due, end, start_waiting, work_off

PATH = "/api/agents/reporter/schedule"
HOUR = timedelta(hours=1)
HOURLY = {"cronExpression": "0 * * * *"}


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def put(client: Client, **more: Any) -> str:
    answer = client.post(PATH, {**HOURLY, **more})
    assert answer.status_code in (200, 201), answer.json
    return str(answer.json["id"])


def backfill(client: Client, schedule: str, since: datetime, until: datetime, **more: Any) -> Any:
    body = {"from": text(since), "to": text(until), **more}
    return client.post(f"/api/schedules/{schedule}/backfill", body)


def of_status(client: Client, status: str) -> list[Any]:
    path = f"/api/agents/reporter/sessions?pageSize=100&status={status}"
    found: list[Any] = client.get(path).json["items"]
    return found


def test_a_dry_run_tells_the_ticks(client: Client) -> None:
    schedule = put(client)
    answer = backfill(client, schedule, NOW - 3 * HOUR, NOW, dryRun=True)
    assert answer.status_code == 200
    assert answer.json == {"count": 3, "ticks": [text(NOW - n * HOUR) for n in (3, 2, 1)]}
    assert of_status(client, "QUEUED") == []


def test_each_tick_of_the_range_becomes_a_session(client: Client) -> None:
    schedule = put(client, priority="LOW", input={"a": 2})
    answer = backfill(client, schedule, NOW - 3 * HOUR, NOW)
    assert answer.status_code == 202
    made = answer.json["sessions"]
    assert answer.json["count"] == 3
    assert answer.json["ticks"] == [each["scheduledFor"] for each in made]
    assert [each["scheduledFor"] for each in made] == [text(NOW - n * HOUR) for n in (3, 2, 1)]
    assert {(s["trigger"], s["priority"], s["scheduleId"]) for s in made} == {
        ("BACKFILL", "LOW", schedule)
    }
    assert [each["holdReason"] for each in made] == [None, "backfill", "backfill"]
    order = work_off(client.database, client.redis, client.now)
    assert order == [each["id"] for each in made]
    assert len(of_status(client, "COMPLETED")) == 3


def test_what_ran_is_left_out_and_what_did_not_run_is_not(client: Client) -> None:
    schedule = put(client, catchUpWindowSeconds=2 * 3600)
    client.now = NOW + 4 * HOUR
    decide_due(client.database, client.redis, client.now)  # 4 h runs, 1 to 3 h are missed
    decide_due(client.database, client.redis, NOW + 5 * HOUR)  # which the overlap skips
    client.now = NOW + 5.5 * HOUR
    wanted = {"since": NOW, "until": NOW + 6 * HOUR}
    dry = backfill(client, schedule, **wanted, dryRun=True)
    assert dry.json["ticks"] == [text(NOW + n * HOUR) for n in (0, 1, 2, 3, 5)]
    assert backfill(client, schedule, **wanted).json["count"] == 5
    assert backfill(client, schedule, **wanted).json["count"] == 0  # they wait already


def test_what_is_not_due_belongs_to_the_scheduler(client: Client) -> None:
    schedule = put(client)
    client.now = NOW + 2.5 * HOUR  # two ticks are due, and undecided
    answer = backfill(client, schedule, NOW - HOUR, NOW + 10 * HOUR, dryRun=True)
    assert answer.json["ticks"] == [text(NOW - HOUR), text(NOW)]


def test_jitter_is_in_the_ticks(client: Client) -> None:
    schedule = put(client, jitterSeconds=1800)
    ticks = backfill(client, schedule, NOW - 3 * HOUR, NOW, dryRun=True).json["ticks"]
    moved = datetime.fromisoformat(client.get(PATH).json["nextRunAt"]) - NOW
    shift = moved % HOUR
    assert [datetime.fromisoformat(tick) - shift for tick in ticks] == [
        NOW - n * HOUR for n in (3, 2, 1)
    ]


def test_it_waits_for_the_schedules_live_work(client: Client) -> None:
    schedule = put(client)
    live = client.post(f"/api/schedules/{schedule}/run").json["id"]
    held = backfill(client, schedule, NOW - 2 * HOUR, NOW).json["sessions"]
    assert [each["holdReason"] for each in held] == ["backfill"] * 2
    assert work_off(client.database, client.redis, client.now) == [
        live,
        *(each["id"] for each in held),
    ]


def test_it_waits_behind_all_live_work_of_its_priority(client: Client) -> None:
    schedule = put(client)
    live = client.post("/api/agents/reporter/run").json["id"]
    held = backfill(client, schedule, NOW - 2 * HOUR, NOW).json["sessions"]
    assert [each["holdReason"] for each in held] == ["backfill"] * 2
    assert work_off(client.database, client.redis, client.now) == [live]
    Lifeline(client.database, client.redis).step(client.now)
    assert len(work_off(client.database, client.redis, client.now)) == 2


def test_less_urgent_live_work_does_not_hold_it(client: Client) -> None:
    schedule = put(client, priority="HIGH")
    client.post("/api/agents/reporter/run", {"priority": "LOW"})
    made = backfill(client, schedule, NOW - 2 * HOUR, NOW).json["sessions"]
    assert [each["holdReason"] for each in made] == [None, "backfill"]


def test_with_overlap_allowed_as_many_start_as_there_are_slots(client: Client) -> None:
    schedule = put(client, overlap="ALLOW")
    made = backfill(client, schedule, NOW - 8 * HOUR, NOW).json["sessions"]
    assert [each["holdReason"] for each in made].count("backfill") == 3
    running = start_waiting(client.database, client.now)
    assert len(running) == 5
    end(client.database, client.redis, running[0], client.now)
    assert len(start_waiting(client.database, client.now)) == 1


def test_a_live_tick_is_not_held_up_by_what_waits(client: Client) -> None:
    schedule = put(client)
    live = client.post("/api/agents/reporter/run").json["id"]  # keeps the backfill waiting
    backfill(client, schedule, NOW - 2 * HOUR, NOW)
    decide_due(client.database, client.redis, NOW + HOUR)
    queued = {each["id"]: each["holdReason"] for each in of_status(client, "QUEUED")}
    assert queued.pop(live) is None
    assert sorted(map(str, queued.values())) == ["None", "backfill", "backfill"]


def test_a_backfill_is_stopped_and_may_be_asked_for_again(client: Client) -> None:
    schedule = put(client)
    backfill(client, schedule, NOW - 5 * HOUR, NOW)
    (running,) = start_waiting(client.database, client.now)
    answer = client.delete(f"/api/schedules/{schedule}/backfill")
    assert (answer.status_code, answer.json) == (200, {"stopped": 4})
    assert len(of_status(client, "STOPPED")) == 4
    end(client.database, client.redis, running, client.now)
    assert work_off(client.database, client.redis, client.now) == []
    assert client.delete(f"/api/schedules/{schedule}/backfill").json == {"stopped": 0}
    assert backfill(client, schedule, NOW - 5 * HOUR, NOW).json["count"] == 4


def test_removing_the_schedule_stops_its_backfill(client: Client) -> None:
    schedule = put(client)
    backfill(client, schedule, NOW - 5 * HOUR, NOW)
    assert client.delete(PATH).status_code == 204
    assert len(of_status(client, "STOPPED")) == 4
    assert len(work_off(client.database, client.redis, client.now)) == 1


def test_a_failed_run_is_not_run_again(client: Client) -> None:
    schedule = put(client)
    with client.database.read() as db:
        agent = find_agent(db, "reporter")
    tick = NOW - HOUR
    add_session(
        client.database,
        agent,
        schedule_id=schedule,
        trigger="SCHEDULE",
        tick_at=tick,
        scheduled_for=tick,
        status="FAILED",
        started_at=tick,
        finished_at=tick,
    )
    answer = backfill(client, schedule, NOW - 2 * HOUR, NOW, dryRun=True)
    assert answer.json["ticks"] == [text(NOW - 2 * HOUR)]


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        ("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", "to"),
        ("2026-03-02T12:00:00Z", "2026-03-02T11:00:00Z", "to"),
        ("2020-01-01T00:00:00Z", "2026-03-02T00:00:00Z", "to"),  # over 10,000 ticks
        ("2026-03-02T12:00:00", "2026-03-02T13:00:00Z", "from"),
        ("2026-03-02T12:00:00Z", None, "to"),
    ],
)
def test_a_bad_range_is_named(client: Client, since: str, until: str | None, field: str) -> None:
    schedule = put(client)
    for dry_run in (True, False):
        body = {"from": since, "to": until, "dryRun": dry_run}
        answer = client.post(f"/api/schedules/{schedule}/backfill", body)
        assert answer.status_code == 422
        assert list(answer.json["errors"]["json"]) == [field]
    assert of_status(client, "QUEUED") == []


def test_ten_thousand_ticks_are_the_most(client: Client) -> None:
    schedule = put(client)
    most = backfill(client, schedule, NOW - 10_000 * HOUR, NOW, dryRun=True)
    assert most.json["count"] == 10_000
    assert backfill(client, schedule, NOW - 10_001 * HOUR, NOW, dryRun=True).status_code == 422


def test_an_unknown_schedule(client: Client) -> None:
    assert backfill(client, "none", NOW - HOUR, NOW).status_code == 404
    assert client.delete("/api/schedules/none/backfill").status_code == 404
