"""Agents over REST."""

from typing import Any

import pytest

from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession, Schedule
from tests.integration.api.conftest import Client

WRONG: dict[str, list[Any]] = {
    "id": ["", "A", "-a", "a_b", "a" * 64, "a\n", 5, None, "ü"],
    "name": ["", "x" * 201, 5, None, "a\x01b"],
    "kind": ["nothing", "", 5, None],
    "config": [[], "x", 5, None],
}
BODY = {"id": "a-1", "name": "A", "kind": "noop", "config": {}}


def test_an_agent_is_created_and_read(client: Client) -> None:
    made = client.post("/api/agents", BODY)
    assert (made.status_code, made.headers["Location"]) == (201, "/api/agents/a-1")
    assert made.json == {
        **BODY,
        "createdAt": "2026-03-02T12:00:00Z",
        "updatedAt": "2026-03-02T12:00:00Z",
    }
    assert client.get("/api/agents/a-1").json == made.json


def test_an_id_is_taken_once(client: Client) -> None:
    answer = client.post("/api/agents", {**BODY, "id": "reporter"})
    assert (answer.status_code, answer.json["status"]) == (409, "Conflict")


def test_an_id_is_free_again_after_removal(client: Client) -> None:
    assert client.delete("/api/agents/reporter").status_code == 204
    assert client.get("/api/agents/reporter").status_code == 404
    assert client.post("/api/agents", {**BODY, "id": "reporter"}).status_code == 201
    assert client.get("/api/agents/reporter/sessions").json["total"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
)
def test_a_wrong_field_is_named(client: Client, field: str, value: Any) -> None:
    answer = client.post("/api/agents", {**BODY, field: value})
    assert answer.status_code == 422
    assert field in answer.json["errors"]["json"]
    assert answer.json["message"].startswith(field)


def test_a_class_checks_its_own_config(client: Client) -> None:
    answer = client.post("/api/agents", {**BODY, "kind": "http", "config": {"method": "DANCE"}})
    assert answer.status_code == 422
    assert {"config.url", "config.method"} <= set(answer.json["errors"]["json"])


def test_an_unknown_field_is_refused(client: Client) -> None:
    answer = client.post("/api/agents", {**BODY, "color": "pink"})
    assert (answer.status_code, list(answer.json["errors"]["json"])) == (422, ["color"])


def test_single_fields_change(client: Client) -> None:
    changed = client.patch("/api/agents/reporter", {"name": "New"})
    assert (changed.status_code, changed.json["name"]) == (200, "New")
    assert changed.json["config"] == {"a": 1}
    assert client.patch("/api/agents/reporter", {"kind": "nothing"}).status_code == 422


def test_lists_come_in_pages(client: Client) -> None:
    for n in range(3):
        client.post("/api/agents", {**BODY, "id": f"x-{n}"})
    page = client.get("/api/agents?page=2&pageSize=3").json
    assert [agent["id"] for agent in page["items"]] == ["x-2"]
    assert (page["page"], page["pageSize"], page["total"]) == (2, 3, 4)


@pytest.mark.parametrize("query", ["page=0", "pageSize=0", "pageSize=101", "page=x", "page=-1"])
def test_a_page_that_cannot_be_is_refused(client: Client, query: str) -> None:
    answer = client.get(f"/api/agents?{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]["query"]) == [query.split("=")[0]]


def test_removing_an_agent_takes_its_schedules_and_stops_what_waits(client: Client) -> None:
    client.post("/api/agents/reporter/schedule", {"interval": 60})
    waiting = client.post("/api/agents/reporter/run").json["id"]
    assert client.delete("/api/agents/reporter").status_code == 204
    assert client.get("/api/agents/reporter/schedule").status_code == 404
    with client.database.read() as db:
        session = db.get_one(AgentSession, waiting)
        assert (session.status, session.reason) == (SessionStatus.STOPPED, "agent_deleted")
        assert db.query(Schedule).filter(Schedule.next_run_at.is_not(None)).count() == 0
    assert client.get(f"/api/sessions/{waiting}").status_code == 200


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_agent_is_not_found(client: Client, method: str) -> None:
    options: list[Any] = [{}] if method == "patch" else []
    answer = getattr(client, method)("/api/agents/nobody", *options)
    assert (answer.status_code, answer.json["code"]) == (404, 404)
    assert "nobody" in answer.json["message"]
