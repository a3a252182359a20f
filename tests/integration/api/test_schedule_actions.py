"""Running, pausing, resuming and skipping, over REST."""

from datetime import timedelta
from typing import Any

import pytest

from neonhub.domain.endings import AttemptEnd
from neonhub.models.finding import find_agent
from neonhub.redis import keys
from tests.factories import NOW, add_schedule
from tests.integration.api.conftest import Client
from tests.steps import decide_due, end, start_waiting, work_off

PATH = "/api/agents/reporter/schedule"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def schedule(client: Client) -> str:
    return put(client)


def put(client: Client, **more: Any) -> str:
    answer = client.post(PATH, {"interval": "every minute", "input": {"a": 2}, **more})
    assert answer.status_code in (200, 201), answer.json
    return str(answer.json["id"])


def act(client: Client, schedule: str, action: str, body: Any = None) -> Any:
    return client.post(f"/api/schedules/{schedule}/{action}", body)


def look(client: Client, minutes: float) -> None:
    client.now = NOW + minutes * MINUTE
    decide_due(client.database, client.redis, client.now)


def sessions(client: Client) -> list[Any]:
    found: list[Any] = client.get("/api/agents/reporter/sessions").json["items"]
    return found


def states(client: Client) -> list[tuple[str, str | None]]:
    """Status and reason, or hold reason, oldest first."""
    rows = reversed(sessions(client))
    return [(row["status"], row["reason"] or row["holdReason"]) for row in rows]


# Running now


def test_it_runs_with_the_schedules_own_settings(client: Client) -> None:
    schedule = put(client, priority="HIGH", maxRetries=7, timeoutSeconds=5)
    answer = act(client, schedule, "run")
    assert answer.status_code == 202
    made = answer.json
    assert (made["trigger"], made["status"], made["scheduledFor"]) == ("MANUAL", "QUEUED", None)
    assert (made["scheduleId"], made["input"], made["priority"]) == (schedule, {"a": 2}, "HIGH")
    assert made["maxAttempts"] == 8
    assert answer.headers["Location"] == f"/api/sessions/{made['id']}"
    assert client.redis.llen("rq:queue:high") == 1


def test_skip_refuses_while_another_is_not_ended(client: Client, schedule: str) -> None:
    first = act(client, schedule, "run").json
    refused = act(client, schedule, "run")
    assert refused.status_code == 409
    assert first["id"] in refused.json["message"] and "SKIP" in refused.json["message"]
    assert len(sessions(client)) == 1
    (running,) = start_waiting(client.database, client.now)
    end(client.database, client.redis, running, client.now, AttemptEnd.RAISED)
    assert sessions(client)[0]["status"] == "RETRYING"  # which counts as running
    assert act(client, schedule, "run").status_code == 409
    client.post(f"/api/sessions/{first['id']}/stop")
    assert act(client, schedule, "run").status_code == 202


def test_a_tick_finds_the_manual_run(client: Client, schedule: str) -> None:
    act(client, schedule, "run")
    look(client, 1)
    assert states(client) == [("QUEUED", None), ("SKIPPED", "overlap")]


def test_queue_one_lets_one_wait(client: Client) -> None:
    schedule = put(client, overlap="QUEUE_ONE")
    answers = [act(client, schedule, "run") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 409]
    assert states(client) == [("QUEUED", None), ("QUEUED", "overlap")]
    assert len(work_off(client.database, client.redis, client.now)) == 2


def test_allow_just_starts(client: Client) -> None:
    schedule = put(client, overlap="ALLOW")
    for _ in range(3):
        assert act(client, schedule, "run").status_code == 202
    assert states(client) == [("QUEUED", None)] * 3


def test_replace_stops_the_other_first(client: Client) -> None:
    schedule = put(client, overlap="REPLACE")
    first = act(client, schedule, "run").json
    (running,) = start_waiting(client.database, client.now)
    second = act(client, schedule, "run").json
    assert (second["status"], second["holdReason"]) == ("QUEUED", "overlap")
    assert start_waiting(client.database, client.now) == []  # not before the first is gone
    end(client.database, client.redis, running, client.now)
    replaced = client.get(f"/api/sessions/{first['id']}").json
    assert (replaced["status"], replaced["reason"]) == ("STOPPED", "replaced")
    assert work_off(client.database, client.redis, client.now) == [second["id"]]


def test_replace_drops_what_only_waits(client: Client) -> None:
    schedule = put(client, overlap="REPLACE")
    act(client, schedule, "run")
    second = act(client, schedule, "run").json
    assert (second["status"], second["holdReason"]) == ("QUEUED", None)
    assert states(client)[0] == ("STOPPED", "replaced")


def test_a_paused_or_disabled_schedule_runs_when_told(client: Client) -> None:
    paused = put(client)
    act(client, paused, "pause")
    assert act(client, paused, "run").status_code == 202
    work_off(client.database, client.redis, client.now)
    disabled = put(client, enabled=False)
    assert act(client, disabled, "run").status_code == 202


# Pausing


def test_a_pause_is_shown_with_its_reason_and_survives_a_post(client: Client) -> None:
    schedule = put(client)
    before = client.get(PATH).json
    paused = act(client, schedule, "pause", {"reason": "holidays"})
    assert paused.status_code == 200
    assert paused.json == {**before, "paused": True, "pauseReason": "holidays"}
    assert act(client, schedule, "pause").json["pauseReason"] == "holidays"
    assert act(client, schedule, "pause", {"reason": "again"}).json["pauseReason"] == "again"
    put(client, priority="LOW")
    assert client.get(PATH).json["pauseReason"] == "again"
    resumed = act(client, schedule, "resume", {"reason": "back"}).json
    assert (resumed["paused"], resumed["pauseReason"]) == (False, None)


def test_ticks_while_paused_are_skipped_and_never_caught_up(client: Client, schedule: str) -> None:
    act(client, schedule, "pause")
    look(client, 2.5)
    act(client, schedule, "resume")
    look(client, 2.6)
    assert states(client) == [("SKIPPED", "paused")]
    look(client, 3)
    assert states(client)[-1] == ("QUEUED", None)


def test_a_pause_that_no_scheduler_saw_counts_as_well(client: Client, schedule: str) -> None:
    act(client, schedule, "pause")
    client.now = NOW + 2.5 * MINUTE
    act(client, schedule, "resume")
    look(client, 2.6)
    assert states(client) == [("SKIPPED", "paused")]


def test_what_was_due_before_the_pause_fires(client: Client, schedule: str) -> None:
    client.now = NOW + 1.5 * MINUTE
    act(client, schedule, "pause")
    assert states(client) == [("QUEUED", None)]
    look(client, 2)
    assert states(client) == [("QUEUED", None), ("SKIPPED", "paused")]


def test_the_whole_scheduler_is_paused_to_the_instant_as_well(
    client: Client, schedule: str
) -> None:
    client.now = NOW + 1.5 * MINUTE
    client.post("/api/scheduler/pause", {"reason": "night"})
    assert states(client) == [("QUEUED", None)]
    work_off(client.database, client.redis, client.now)
    client.now = NOW + 2.5 * MINUTE
    client.post("/api/scheduler/resume")
    look(client, 2.6)
    assert states(client) == [("COMPLETED", None), ("SKIPPED", "paused")]


def test_the_timer_follows_what_a_pause_decided(client: Client, schedule: str) -> None:
    client.now = NOW + 1.5 * MINUTE
    act(client, schedule, "pause")
    due = client.redis.zscore(keys.TIMERS, f"tick:{schedule}")
    assert due == (NOW + 2 * MINUTE).timestamp()


# Pausing many


@pytest.fixture
def fleet(client: Client) -> None:
    client.post("/api/agents", {"id": "second", "name": "Second", "kind": "echo", "config": {}})
    for agent_id in ("reporter", "second"):
        with client.database.read() as db:
            agent = find_agent(db, agent_id)
        for name, priority in (("day", "LOW"), ("night", "HIGH")):
            add_schedule(client.database, agent, name=name, priority=priority)


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("which", "changed"),
    [
        ({}, 4),
        ({"agentIds": ["second"]}, 2),
        ({"agentIds": ["second", "reporter", "nobody"]}, 4),
        ({"agentIds": []}, 0),
        ({"names": ["night"]}, 2),
        ({"priority": "LOW"}, 2),
        ({"agentIds": ["reporter"], "names": ["day"], "priority": "LOW"}, 1),
        ({"agentIds": ["reporter"], "names": ["day"], "priority": "HIGH"}, 0),
    ],
)
def test_many_are_paused_by_filter(client: Client, which: dict[str, Any], changed: int) -> None:
    answer = client.post("/api/schedules/pause", {"reason": "audit", **which})
    assert (answer.status_code, answer.json) == (200, {"changed": changed})
    listed = [
        each
        for agent_id in ("reporter", "second")
        for each in client.get(f"/api/agents/{agent_id}/schedules").json["items"]
    ]
    assert [each["pauseReason"] for each in listed].count("audit") == changed
    assert client.post("/api/schedules/pause", which).json == {"changed": 0}
    assert client.post("/api/schedules/resume", which).json == {"changed": changed}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": 5}, "reason"),
        ({"agentIds": "reporter"}, "agentIds"),
        ({"names": [1]}, "names.0"),
        ({"priority": "URGENT"}, "priority"),
        ({"all": True}, "all"),
    ],
)
def test_a_bad_filter_pauses_nothing(client: Client, body: dict[str, Any], field: str) -> None:
    put(client)
    answer = client.post("/api/schedules/pause", body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]["json"]) == [field]
    assert client.get(PATH).json["paused"] is False


# Skipping the next one


def test_one_tick_is_skipped(client: Client, schedule: str) -> None:
    answer = act(client, schedule, "skip-next")
    assert (answer.status_code, answer.json["skipNext"]) == (200, True)
    assert act(client, schedule, "skip-next").status_code == 200  # the same one
    look(client, 1)
    assert states(client) == [("SKIPPED", "skip_next")]
    assert client.get(PATH).json["skipNext"] is False
    look(client, 2)
    assert states(client)[-1] == ("QUEUED", None)


def test_a_tick_that_is_due_is_not_the_next(client: Client, schedule: str) -> None:
    client.now = NOW + 1.5 * MINUTE
    act(client, schedule, "skip-next")
    assert states(client) == [("QUEUED", None)]
    look(client, 2)
    assert states(client)[-1] == ("SKIPPED", "skip_next")


def test_without_a_next_tick_there_is_nothing_to_skip(client: Client) -> None:
    schedule = put(client, enabled=False)
    answer = act(client, schedule, "skip-next")
    assert answer.status_code == 409
    assert "no next tick" in answer.json["message"]


@pytest.mark.parametrize("action", ["run", "pause", "resume", "skip-next"])
def test_an_unknown_schedule(client: Client, action: str) -> None:
    assert act(client, "none", action).status_code == 404
