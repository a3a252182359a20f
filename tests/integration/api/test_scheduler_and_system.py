"""Status, pause, resume, health, metrics, pages."""

from typing import Any

import pytest

from neonhub.clock import utcnow
from neonhub.models import SessionEvent
from neonhub.redis.connect import connect
from neonhub.redis.counters import EndedSession, count_ended
from neonhub.scheduling.heartbeat import Heartbeat
from neonhub.scheduling.timers import Timers
from tests.integration.api.conftest import Client, MakeClient

STATUS = "/api/scheduler/status"


@pytest.fixture
def alive(client: Client) -> Client:
    """A client of a system whose scheduler is alive."""
    Heartbeat(client.redis, Timers(client.redis)).beat(utcnow(), 1.5)
    return client


def state(client: Client) -> Any:
    return client.get(STATUS).json["state"]


def test_without_a_scheduler_the_state_is_error(client: Client) -> None:
    found = client.get(STATUS).json
    assert (found["state"], found["reason"]) == ("ERROR", "No scheduler is alive.")


def test_with_a_scheduler_that_cannot_work_the_state_is_error(client: Client) -> None:
    beats = Heartbeat(client.redis, Timers(client.redis))
    beats.beat(utcnow(), 1.5, "A scheduler waits for the database: the disk is full.")
    found = client.get(STATUS).json
    assert (found["state"], found["reason"]) == (
        "ERROR",
        "A scheduler waits for the database: the disk is full.",
    )


def test_idle_running_and_paused(alive: Client) -> None:
    assert state(alive) == "IDLE"
    alive.post("/api/agents/reporter/schedule", {"interval": 60})
    assert state(alive) == "RUNNING"
    paused = alive.post("/api/scheduler/pause", {"reason": "holidays"}).json
    assert (paused["state"], paused["reason"]) == ("PAUSED", "holidays")
    assert alive.post("/api/scheduler/pause").json["reason"] == "holidays"
    assert alive.post("/api/scheduler/pause", {"reason": "again"}).json["reason"] == "again"
    assert alive.post("/api/scheduler/resume").json["state"] == "RUNNING"
    assert alive.post("/api/scheduler/resume").status_code == 200


def test_each_change_is_told_once(alive: Client) -> None:
    for _ in range(2):
        alive.post("/api/scheduler/pause")
    alive.post("/api/scheduler/resume")
    with alive.database.read() as db:
        rows = db.query(SessionEvent).order_by(SessionEvent.id).all()
        assert [(row.event, row.data["paused"]) for row in rows] == [
            ("scheduler:status", True),
            ("scheduler:status", False),
        ]


def test_the_status_has_every_field(alive: Client) -> None:
    alive.post("/api/agents/reporter/schedule", {"interval": 60})
    alive.post("/api/agents/reporter/run", {"priority": "LOW"})
    found = alive.get(STATUS).json
    assert set(found) == {
        *("state", "reason", "schedulers", "nextRunAt", "running", "maxConcurrent", "queues"),
        *("workers", "schedules", "firedTotal", "firingLagMs"),
    }
    assert found["queues"] == {"critical": 0, "high": 0, "normal": 0, "low": 1}
    assert found["schedules"] == {"enabled": 1, "disabled": 0}
    assert (found["nextRunAt"], found["maxConcurrent"]) == ("2026-03-02T12:01:00Z", 5)
    assert set(found["schedulers"][0]) == {
        *("id", "host", "pid", "startedAt", "lastCheckAt", "lastCheckMs")
    }
    assert found["firingLagMs"] == {"p50": None, "p99": None}


@pytest.mark.parametrize("body", [{"reason": 5}, {"reason": "x" * 501}, {"why": "x"}])
def test_a_wrong_pause_is_refused(client: Client, body: Any) -> None:
    assert client.post("/api/scheduler/pause", body).status_code == 422


def test_health_looks_at_nothing(make_client: MakeClient) -> None:
    client = make_client(redis=connect("redis://127.0.0.1:1/0"))
    assert client.get("/healthz").json == {"status": "ok"}


def test_readiness_names_each_check(alive: Client) -> None:
    ready = alive.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "ready")
    assert set(ready.json["checks"]) == {"database", "redis", "migrations", "scheduler"}


def test_it_is_not_ready_without_redis_or_scheduler(
    client: Client, make_client: MakeClient
) -> None:
    lonely = client.get("/readyz")
    assert (lonely.status_code, lonely.json["checks"]["scheduler"]["ok"]) == (503, False)
    cut = make_client(redis=connect("redis://127.0.0.1:1/0")).get("/readyz")
    assert (cut.status_code, cut.json["checks"]["redis"]["ok"]) == (503, False)
    assert cut.json["checks"]["database"]["ok"] is True


def test_metrics_are_prometheus_text(alive: Client) -> None:
    text = alive.get("/metrics").text
    for line in (
        'neonhub_scheduler_state{state="IDLE"} 1.0',
        "neonhub_schedulers 1.0",
        "neonhub_fired_total 0.0",
        'neonhub_queue_jobs{queue="critical"} 0.0',
        "neonhub_events_sent_total 0.0",
        "neonhub_check_loop_milliseconds{scheduler=",
    ):
        assert line in text


def test_metrics_count_what_ended_by_agent(alive: Client) -> None:
    sessions = [("COMPLETED", 0.2), ("COMPLETED", 40.0), ("FAILED", 2.0), ("STOPPED", None)]
    count_ended(alive.redis, [EndedSession("reporter", *each) for each in sessions])
    text = alive.get("/metrics").text
    for line in (
        'neonhub_sessions_total{agent="reporter",status="COMPLETED"} 2.0',
        'neonhub_session_duration_seconds_bucket{agent="reporter",le="0.5"} 1.0',
        'neonhub_session_duration_seconds_bucket{agent="reporter",le="+Inf"} 3.0',
        'neonhub_session_duration_seconds_sum{agent="reporter"} 42.2',
        'neonhub_success_ratio{agent="reporter"} 0.6666666666666666',
    ):
        assert line in text


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/", "text/html"),
        ("/static/live.js", "text/javascript"),
        ("/static/live.css", "text/css"),
        ("/docs", "text/html"),
        ("/docs/assets/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/assets/swagger-ui.css", "text/css"),
    ],
)
def test_pages_come_from_here(client: Client, path: str, type: str) -> None:
    with client.get(path) as answer:
        assert (answer.status_code, answer.mimetype) == (200, type)
        if type == "text/html":
            assert "//cdn" not in answer.text and "https://" not in answer.text
