"""The OpenAPI document is complete: a client can be made from it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.api.conftest import Client

# Nothing here depends on which of the two databases answers.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

CONTRACT = {
    "get /api/agents",
    "post /api/agents",
    "get /api/agents/{agent_id}",
    "patch /api/agents/{agent_id}",
    "delete /api/agents/{agent_id}",
    "post /api/agents/{agent_id}/run",
    "get /api/agents/{agent_id}/schedule",
    "post /api/agents/{agent_id}/schedule",
    "delete /api/agents/{agent_id}/schedule",
    "get /api/agents/{agent_id}/schedules",
    "post /api/agents/{agent_id}/schedules",
    "get /api/schedules/{schedule_id}",
    "patch /api/schedules/{schedule_id}",
    "delete /api/schedules/{schedule_id}",
    "post /api/schedules/preview",
    "get /api/schedules/{schedule_id}/explain",
    "post /api/schedules/{schedule_id}/backfill",
    "delete /api/schedules/{schedule_id}/backfill",
    "post /api/schedules/{schedule_id}/run",
    "post /api/schedules/{schedule_id}/pause",
    "post /api/schedules/{schedule_id}/resume",
    "post /api/schedules/{schedule_id}/skip-next",
    "post /api/schedules/pause",
    "post /api/schedules/resume",
    "get /api/agents/{agent_id}/sessions",
    "get /api/sessions/{session_id}",
    "get /api/sessions/{session_id}/events",
    "post /api/sessions/{session_id}/stop",
    "post /api/sessions/{session_id}/retry",
    "get /api/scheduler/status",
    "post /api/scheduler/pause",
    "post /api/scheduler/resume",
    "get /healthz",
    "get /readyz",
    "get /metrics",
}


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method} {path}", operation


def test_it_has_every_call_of_the_contract(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert {name for name, _ in operations(document)} == CONTRACT


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"] and operation["operationId"] and operation["tags"], name
        assert "default" not in operation["responses"] or len(operation["responses"]) > 1, name
        if name not in ("get /readyz",):
            assert {"403", "500", "503"} <= set(operation["responses"]), name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name
        if "{" in name:
            assert "404" in operation["responses"], name


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_only_a_body_that_is_needed_is_required(client: Client, document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if name.startswith("post") and "requestBody" in operation and "{schedule_id}" not in name:
            path = name.removeprefix("post ").replace("{agent_id}", "reporter")
            answer = client.app.test_client().post(path)
            assert (answer.status_code == 422) == operation["requestBody"]["required"], name


def test_the_examples_can_be_tried(client: Client, document: dict[str, Any]) -> None:
    """Swagger UI fills them in."""
    for path in ("/api/agents/{agent_id}/schedule", "/api/agents/{agent_id}/schedules"):
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        answer = client.post(path.replace("{agent_id}", "reporter"), body["example"])
        assert answer.status_code == 201, answer.json
    body = document["paths"]["/api/schedules/preview"]["post"]["requestBody"]["content"]
    example = body["application/json"]["example"]
    assert client.post("/api/schedules/preview", example).status_code == 200


def test_the_example_of_an_agent_can_be_tried(client: Client, document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["AgentBody"]["properties"]
    body = {name: field["example"] for name, field in fields.items()}
    assert client.post("/api/agents", body).status_code == 201


@pytest.mark.parametrize("word", ["pause", "preview", "resume"])
def test_a_call_beside_the_schedules_is_no_schedule(client: Client, word: str) -> None:
    answer = client.get(f"/api/schedules/{word}")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
