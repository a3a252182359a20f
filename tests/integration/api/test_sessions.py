"""Sessions over REST."""

from datetime import timedelta
from typing import Any

import pytest

from neonhub.domain.states import SessionStatus
from neonhub.models import Agent, AgentSession
from tests.factories import NOW, add_session
from tests.integration.api.conftest import Client

FIELDS = {
    *("id", "agentId", "scheduleId", "scheduledFor", "trigger", "status", "reason", "holdReason"),
    *("priority", "attempt", "maxAttempts", "queuedAt", "startedAt", "finishedAt", "durationMs"),
    *("nextAttemptAt", "progress", "progressMessage", "worker", "input", "result", "error"),
    *("missedCount", "missedFrom"),
}


def insert(client: Client, **values: Any) -> AgentSession:
    with client.database.read() as db:
        agent = db.query(Agent).one()
    return add_session(client.database, agent, **values)


def test_run_now_answers_the_session(client: Client) -> None:
    answer = client.post("/api/agents/reporter/run", {"input": {"x": 1}, "priority": "HIGH"})
    assert answer.status_code == 202
    assert set(answer.json) == FIELDS
    assert (answer.json["status"], answer.json["trigger"]) == ("QUEUED", "MANUAL")
    assert (answer.json["input"], answer.json["maxAttempts"]) == ({"x": 1}, 4)
    assert client.get(answer.headers["Location"]).json == answer.json


def test_run_now_needs_no_body(client: Client) -> None:
    answer: Any = client.app.test_client().post("/api/agents/reporter/run")
    assert (answer.status_code, answer.json["priority"]) == (202, "NORMAL")


def test_an_idempotency_key_makes_a_repeat_answer_the_first(client: Client) -> None:
    key = {"Idempotency-Key": "k"}
    first = client.post("/api/agents/reporter/run", {"input": {"x": 1}}, headers=key)
    again = client.post("/api/agents/reporter/run", {"input": {"x": 1}}, headers=key)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    other = client.post("/api/agents/reporter/run", {"input": {"x": 2}}, headers=key)
    assert (other.status_code, list(other.json["errors"])) == (422, ["headers"])


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_kept_is_refused(client: Client, key: str) -> None:
    answer = client.post("/api/agents/reporter/run", headers={"Idempotency-Key": key})
    assert answer.status_code == 422


@pytest.mark.parametrize("body", [{"input": []}, {"priority": "high"}, {"x": 1}, {"input": "x"}])
def test_a_wrong_body_runs_nothing(client: Client, body: Any) -> None:
    assert client.post("/api/agents/reporter/run", body).status_code == 422
    assert client.get("/api/agents/reporter/sessions").json["total"] == 0


def test_history_is_filtered(client: Client) -> None:
    insert(client, queued_at=NOW - timedelta(hours=2))
    new = insert(client, status="FAILED", finished_at=NOW, started_at=NOW - timedelta(seconds=2))
    path = "/api/agents/reporter/sessions"
    found = client.get(f"{path}?status=FAILED&trigger=MANUAL&from=2026-03-02T12:00:00Z").json
    assert [(each["id"], each["durationMs"]) for each in found["items"]] == [(new.id, 2000)]
    assert client.get(f"{path}?to=2026-03-02T11:00:00%2B00:00").json["total"] == 1


@pytest.mark.parametrize("query", ["status=DONE", "trigger=x", "from=yesterday", "to=2026-01-01"])
def test_a_filter_that_means_nothing_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"/api/agents/reporter/sessions?{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]["query"]) == [query.split("=")[0]]


def test_stop_and_its_log(client: Client) -> None:
    session = insert(client)
    stopped = client.post(f"/api/sessions/{session.id}/stop")
    assert (stopped.status_code, stopped.json["status"]) == (202, "STOPPED")
    assert client.post(f"/api/sessions/{session.id}/stop").status_code == 409
    [line] = client.get(f"/api/sessions/{session.id}/events").json["items"]
    assert (line["type"], line["level"], line["sessionId"]) == (
        "agent:failed",
        "warning",
        session.id,
    )


def test_retry(client: Client) -> None:
    failed = insert(client, status=SessionStatus.FAILED, finished_at=NOW, input={"x": 1})
    answer = client.post(f"/api/sessions/{failed.id}/retry")
    assert (answer.status_code, answer.json["trigger"], answer.json["input"]) == (
        202,
        "RETRY",
        {"x": 1},
    )
    done = insert(client, status=SessionStatus.COMPLETED, finished_at=NOW)
    assert client.post(f"/api/sessions/{done.id}/retry").status_code == 409


@pytest.mark.parametrize("path", ["", "/events", "/stop", "/retry"])
def test_an_unknown_session_is_not_found(client: Client, path: str) -> None:
    call = client.post if path in ("/stop", "/retry") else client.get
    assert call(f"/api/sessions/nothing{path}").status_code == 404
