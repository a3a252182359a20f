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
    "get /api/agents/{agentId}",
    "patch /api/agents/{agentId}",
    "delete /api/agents/{agentId}",
    "post /api/agents/{agentId}/run",
    "get /api/agents/{agentId}/schedule",
    "post /api/agents/{agentId}/schedule",
    "delete /api/agents/{agentId}/schedule",
    "get /api/agents/{agentId}/schedules",
    "post /api/agents/{agentId}/schedules",
    "get /api/schedules/{scheduleId}",
    "patch /api/schedules/{scheduleId}",
    "delete /api/schedules/{scheduleId}",
    "post /api/schedules/preview",
    "get /api/schedules/{scheduleId}/explain",
    "post /api/schedules/{scheduleId}/backfill",
    "delete /api/schedules/{scheduleId}/backfill",
    "post /api/schedules/{scheduleId}/run",
    "post /api/schedules/{scheduleId}/pause",
    "post /api/schedules/{scheduleId}/resume",
    "post /api/schedules/{scheduleId}/skip-next",
    "post /api/schedules/pause",
    "post /api/schedules/resume",
    "get /api/agents/{agentId}/sessions",
    "get /api/sessions/{sessionId}",
    "get /api/sessions/{sessionId}/events",
    "post /api/sessions/{sessionId}/stop",
    "post /api/sessions/{sessionId}/retry",
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
        assert operation["description"], name
        assert {"403", "500"} <= set(operation["responses"]), name
        assert ("503" in operation["responses"]) is (name != "get /healthz"), name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name
        if "{" in name:
            assert "404" in operation["responses"], name
        if any(each.get("in") == "query" for each in operation.get("parameters", [])):
            assert "422" in operation["responses"], name


def test_every_error_has_an_example_of_its_own(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for code, response in operation["responses"].items():
            if code[0] in "45" and name != "get /readyz":
                example = response["content"]["application/json"]["example"]
                assert (str(example["code"]), "errors" in example) == (code, code == "422"), name
                assert response["description"].startswith(example["status"]), name
    other = document["components"]["responses"]["DEFAULT_ERROR"]
    assert "405" in other["description"]
    assert other["content"]["application/json"]["example"]["code"] == 405


def test_every_parameter_is_described_and_named_as_in_the_contract(
    document: dict[str, Any],
) -> None:
    found = [
        parameter
        for path, methods in document["paths"].items()
        for place in (methods, *(found for key, found in methods.items() if key != "parameters"))
        for parameter in place.get("parameters", [])
    ]
    assert {each["name"] for each in found if each["in"] == "path"} == {
        *("agentId", "scheduleId", "sessionId")
    }
    for parameter in found:
        assert parameter["description"], parameter
        assert "example" in parameter or "example" in parameter["schema"], parameter


def test_every_header_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for response in operation["responses"].values():
            for header in response.get("headers", {}).values():
                assert header["description"] and "example" in header, name


def test_every_field_is_described_and_has_an_example(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, said in schema.get("properties", {}).items():
            assert said.get("description"), f"{name}.{field}"
            assert "example" in said or list(_references(said)), f"{name}.{field}"


def test_an_answer_requires_all_it_always_has(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    sent = {
        reference.rsplit("/", 1)[1]
        for _, operation in operations(document)
        for code, response in operation["responses"].items()
        if code[0] == "2"
        for reference in _references(response)
    }
    while more := {r.rsplit("/", 1)[1] for s in sent for r in _references(schemas[s])} - sent:
        sent |= more
    for name in sent:
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), name


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    used = {reference.rsplit("/", 1)[1] for reference in _references(document)}
    assert set(document["components"]["schemas"]) <= used


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
        if name.startswith("post") and "requestBody" in operation and "{scheduleId}" not in name:
            path = name.removeprefix("post ").replace("{agentId}", "reporter")
            answer = client.app.test_client().post(path)
            assert (answer.status_code == 422) == operation["requestBody"]["required"], name


def test_the_examples_can_be_tried(client: Client, document: dict[str, Any]) -> None:
    """Swagger UI fills them in."""
    for path in ("/api/agents/{agentId}/schedule", "/api/agents/{agentId}/schedules"):
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        answer = client.post(path.replace("{agentId}", "reporter"), body["example"])
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
