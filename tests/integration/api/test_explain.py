"""Every tick that was due can be explained, over REST."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.factories import NOW
from tests.integration.api.conftest import Client
from tests.steps import decide_due, end, start_waiting, work_off

PATH = "/api/agents/reporter/schedule"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EVERY_MINUTE = {"interval": "every minute"}


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def put(client: Client, **body: Any) -> str:
    answer = client.post(PATH, body or EVERY_MINUTE)
    assert answer.status_code in (200, 201), answer.json
    return str(answer.json["id"])


def look(client: Client, now: datetime) -> None:
    client.now = now
    decide_due(client.database, client.redis, now)


def explain(client: Client, schedule_id: str, at: datetime) -> Any:
    answer = client.get(f"/api/schedules/{schedule_id}/explain", query_string={"at": text(at)})
    assert answer.status_code == 200, answer.json
    return answer.json


def short(answer: Any) -> tuple[Any, ...]:
    return answer["tick"], answer["expected"], answer["outcome"], answer["reason"]


def test_a_tick_that_fired(client: Client) -> None:
    schedule = put(client)
    look(client, NOW + MINUTE + timedelta(milliseconds=3))
    work_off(client.database, client.redis, client.now)
    (session,) = client.get("/api/agents/reporter/sessions").json["items"]
    assert explain(client, schedule, NOW + MINUTE) == {
        "tick": text(NOW + MINUTE),
        "expected": True,
        "outcome": "FIRED",
        "reason": None,
        "sessionId": session["id"],
        "decidedAt": session["queuedAt"],
    }
    between = explain(client, schedule, NOW + 1.5 * MINUTE)
    assert short(between) == (text(NOW + MINUTE), False, "FIRED", None)
    assert between["sessionId"] == session["id"]


def test_a_tick_to_come(client: Client) -> None:
    schedule = put(client)
    pending = explain(client, schedule, NOW + 10 * MINUTE)
    assert short(pending) == (text(NOW + 10 * MINUTE), True, "PENDING", None)
    assert (pending["sessionId"], pending["decidedAt"]) == (None, None)
    client.now = NOW + 5 * MINUTE  # nobody has looked yet
    assert short(explain(client, schedule, NOW + MINUTE))[2] == "PENDING"


def test_an_instant_without_a_tick(client: Client) -> None:
    schedule = put(client)
    before = explain(client, schedule, NOW - HOUR)
    assert short(before)[:3] == (None, False, "NOT_A_TICK")
    assert "created at 2026-03-02T12:00:00Z" in before["reason"]
    assert short(explain(client, schedule, NOW + MINUTE / 2))[:3] == (None, False, "NOT_A_TICK")


def test_a_tick_skipped_for_overlap(client: Client) -> None:
    schedule = put(client)
    look(client, NOW + MINUTE)
    look(client, NOW + 2 * MINUTE)
    skipped = explain(client, schedule, NOW + 2 * MINUTE)
    assert short(skipped) == (text(NOW + 2 * MINUTE), True, "SKIPPED", "overlap")
    row = client.get(f"/api/sessions/{skipped['sessionId']}").json
    assert (row["status"], row["reason"]) == ("SKIPPED", "overlap")


def test_ticks_while_paused_share_a_row(client: Client) -> None:
    schedule = put(client)
    client.post(f"/api/schedules/{schedule}/pause", {"reason": "holidays"})
    look(client, NOW + 3.5 * MINUTE)
    rows = [explain(client, schedule, NOW + n * MINUTE) for n in (1, 2, 3)]
    assert {short(row)[1:] for row in rows} == {(True, "SKIPPED", "paused")}
    assert len({row["sessionId"] for row in rows}) == 1
    client.post(f"/api/schedules/{schedule}/resume")
    look(client, NOW + 4 * MINUTE)
    assert short(explain(client, schedule, NOW + 4 * MINUTE))[2] == "FIRED"


def test_missed_ticks_share_a_row(client: Client) -> None:
    schedule = put(client, interval="1h", catchUpWindowSeconds=4 * 3600)
    look(client, NOW + 10 * HOUR)
    old = [explain(client, schedule, NOW + n * HOUR) for n in range(1, 6)]
    assert {short(each)[2:] for each in old} == {("MISSED", "catch_up_window")}
    recent = [explain(client, schedule, NOW + n * HOUR) for n in range(6, 10)]
    assert {short(each)[2:] for each in recent} == {("MISSED", "catch_up")}
    row = client.get(f"/api/sessions/{recent[0]['sessionId']}").json
    assert (row["missedCount"], row["missedFrom"]) == (4, text(NOW + 6 * HOUR))
    assert short(explain(client, schedule, NOW + 10 * HOUR))[2] == "FIRED"


def test_a_tick_a_person_skipped(client: Client) -> None:
    schedule = put(client)
    client.post(f"/api/schedules/{schedule}/skip-next")
    look(client, NOW + MINUTE)
    assert short(explain(client, schedule, NOW + MINUTE))[2:] == ("SKIPPED", "skip_next")


def test_a_tick_after_the_last_run(client: Client) -> None:
    schedule = put(client, interval="1m", maxRuns=1)
    look(client, NOW + MINUTE)
    work_off(client.database, client.redis, client.now)
    look(client, NOW + 5 * MINUTE)
    assert short(explain(client, schedule, NOW + MINUTE))[2] == "FIRED"
    ended = explain(client, schedule, NOW + 3 * MINUTE)
    assert short(ended) == (text(NOW + 3 * MINUTE), True, "SKIPPED", "ended")


def test_the_window_has_no_ticks_around_it(client: Client) -> None:
    end_at = NOW + 2 * MINUTE
    schedule = put(client, interval="1m", endAt=text(end_at))
    look(client, NOW + MINUTE)
    work_off(client.database, client.redis, client.now)
    look(client, end_at)
    after = explain(client, schedule, NOW + 30 * MINUTE)
    assert short(after) == (text(end_at), False, "FIRED", None)


def test_an_edit_changes_nothing_that_was(client: Client) -> None:
    schedule = put(client, cronExpression="0 * * * *")
    look(client, NOW + HOUR)
    work_off(client.database, client.redis, client.now)
    client.now = NOW + 1.25 * HOUR
    put(client, cronExpression="30 * * * *")
    look(client, NOW + 1.5 * HOUR)
    assert short(explain(client, schedule, NOW + HOUR))[:3] == (text(NOW + HOUR), True, "FIRED")
    at_half = explain(client, schedule, NOW + 1.5 * HOUR)
    assert short(at_half)[:3] == (text(NOW + 1.5 * HOUR), True, "FIRED")
    full_hour = explain(client, schedule, NOW + 2 * HOUR)
    assert short(full_hour)[:3] == (text(NOW + 1.5 * HOUR), False, "FIRED")


def test_a_due_tick_that_an_edit_overtook_is_missed(client: Client) -> None:
    schedule = put(client, interval="1m", catchUp="ALL")
    client.now = NOW + 3.5 * MINUTE  # three ticks are due, and no scheduler is alive
    put(client, interval="1h")
    look(client, NOW + 4 * MINUTE)
    rows = [explain(client, schedule, NOW + n * MINUTE) for n in (1, 2, 3)]
    assert {short(row)[1:] for row in rows} == {(True, "MISSED", "edited")}
    (session,) = client.get("/api/agents/reporter/sessions").json["items"]
    assert (session["missedCount"], session["missedFrom"]) == (3, text(NOW + MINUTE))


def test_switching_off_misses_what_is_due(client: Client) -> None:
    schedule = put(client)
    client.now = NOW + 1.5 * MINUTE
    client.patch(f"/api/schedules/{schedule}", {"enabled": False})
    assert short(explain(client, schedule, NOW + MINUTE))[2:] == ("MISSED", "edited")
    off = explain(client, schedule, NOW + 10 * MINUTE)  # a disabled schedule has no ticks
    assert short(off) == (text(NOW + MINUTE), False, "MISSED", "edited")


def test_an_edit_of_the_input_keeps_a_due_tick(client: Client) -> None:
    schedule = put(client)
    client.now = NOW + 1.5 * MINUTE
    client.patch(f"/api/schedules/{schedule}", {"input": {"new": True}})
    look(client, client.now)
    assert short(explain(client, schedule, NOW + MINUTE))[2] == "FIRED"
    (session,) = client.get("/api/agents/reporter/sessions").json["items"]
    assert session["input"] == {"new": True}


def test_jitter_is_in_the_tick(client: Client) -> None:
    schedule = put(client, cronExpression="0 * * * *", jitterSeconds=600)
    planned = datetime.fromisoformat(client.get(PATH).json["nextRunAt"])
    assert NOW + HOUR <= planned < NOW + HOUR + 10 * MINUTE
    look(client, planned)
    fired = explain(client, schedule, planned)
    assert short(fired) == (text(planned), True, "FIRED", None)
    just_before = explain(client, schedule, planned - timedelta(milliseconds=1))
    assert short(just_before)[2] == "NOT_A_TICK"


def test_a_retried_run_is_one_firing(client: Client) -> None:
    schedule = put(client)
    look(client, NOW + MINUTE)
    (running,) = start_waiting(client.database, client.now)
    assert short(explain(client, schedule, NOW + MINUTE))[2] == "FIRED"
    end(client.database, client.redis, running, client.now)


@pytest.mark.parametrize("at", ["", "2026-03-02T12:00:00", "noon", "2026-13-01T00:00:00Z"])
def test_a_bad_instant_is_named(client: Client, at: str) -> None:
    schedule = put(client)
    answer = client.get(f"/api/schedules/{schedule}/explain", query_string={"at": at})
    assert answer.status_code == 422
    assert list(answer.json["errors"]["query"]) == ["at"]
    assert client.get(f"/api/schedules/{schedule}/explain").status_code == 422


def test_the_ends_of_the_calendar(client: Client) -> None:
    schedule = put(client)
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        answer = client.get(f"/api/schedules/{schedule}/explain", query_string={"at": at})
        assert answer.status_code == 200


def test_an_unknown_schedule(client: Client) -> None:
    path = "/api/schedules/none/explain?at=2026-03-02T12:00:00Z"
    assert client.get(path).status_code == 404
