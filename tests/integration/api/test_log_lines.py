"""Each change that somebody asks for leaves one line with its ids in the log."""

import logging

import pytest

from tests.integration.api.conftest import Client


def test_each_change_leaves_a_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    body = {"id": "logged", "name": "Logged", "kind": "noop", "config": {}}
    with caplog.at_level(logging.INFO, logger="neonhub"):
        client.post("/api/agents", body)
        client.patch("/api/agents/logged", {"name": "Named"})
        made = client.post("/api/agents/logged/schedule", {"interval": 60}).json
        client.post("/api/agents/logged/schedule", {"interval": 60})  # changes nothing
        client.patch(f"/api/schedules/{made['id']}", {"interval": 61})
        client.post("/api/agents/logged/run", {})
        client.delete(f"/api/schedules/{made['id']}")
        client.delete("/api/agents/logged")
    said = [r.getMessage() for r in caplog.records if getattr(r, "agent_id", "") == "logged"]
    assert [sentence for sentence in said if not sentence.startswith("agent:")] == [
        "Created an agent.",
        "Changed an agent.",
        "Created a schedule.",
        "Changed a schedule.",
        "A session is queued.",
        "Removed a schedule.",
        "Removed an agent with its schedules.",
    ]
