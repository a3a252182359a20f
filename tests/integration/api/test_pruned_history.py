"""What was pruned is never told wrong, nor run again, over REST."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from neonhub.domain.retention import Retention
from neonhub.models import AgentSession
from neonhub.retention.pruned import Pruned, total
from neonhub.retention.pruning import Pruning
from tests.factories import NOW
from tests.integration.api.conftest import Client
from tests.steps import decide_due, work_off

PATH = "/api/agents/reporter/schedule"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATER = NOW + 100 * DAY


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


@pytest.fixture
def schedule(client: Client) -> str:
    """Hourly since NOW, and run three times; the fourth and fifth tick were skipped."""
    answer = client.post(PATH, {"cronExpression": "0 * * * *", "catchUp": "NONE"})
    for hours in (1, 2, 3):
        run(client, NOW + hours * HOUR)
    client.post("/api/scheduler/pause")
    for hours in (4, 5):
        look(client, NOW + hours * HOUR)
    client.post("/api/scheduler/resume")
    return str(answer.json["id"])


def look(client: Client, now: datetime) -> None:
    client.now = now
    decide_due(client.database, client.redis, now)


def run(client: Client, now: datetime) -> None:
    look(client, now)
    work_off(client.database, client.redis, now)


def prune(client: Client, now: datetime, keep_days: int = 90) -> Pruned:
    client.now = now
    return total(Pruning(client.database, Retention(keep_days, 0)).run(now))


def explain(client: Client, schedule: str, at: datetime) -> Any:
    path = f"/api/schedules/{schedule}/explain"
    return client.get(path, query_string={"at": text(at)}).json


def backfill(client: Client, schedule: str, since: datetime, until: datetime, **more: Any) -> Any:
    body = {"from": text(since), "to": text(until), **more}
    return client.post(f"/api/schedules/{schedule}/backfill", body)


def test_a_tick_whose_row_is_pruned_says_so(client: Client, schedule: str) -> None:
    run(client, LATER - HOUR)  # so that the third run is not the last one
    assert prune(client, LATER).sessions == 5
    for hours in range(1, 6):
        assert explain(client, schedule, NOW + hours * HOUR) == {
            "tick": text(NOW + hours * HOUR),
            "expected": True,
            "outcome": "NOT_A_TICK",
            "reason": "pruned",
            "sessionId": None,
            "decidedAt": None,
        }
    between = explain(client, schedule, NOW + 2.5 * HOUR)
    assert (between["tick"], between["expected"]) == (text(NOW + 2 * HOUR), False)
    assert between["reason"] == "pruned"


def test_what_was_not_pruned_is_explained_as_before(client: Client, schedule: str) -> None:
    before = explain(client, schedule, NOW + 3 * HOUR)
    assert before["outcome"] == "FIRED"
    assert prune(client, LATER).sessions == 4
    assert explain(client, schedule, NOW + 3 * HOUR) == before  # the last run, which stays
    created = explain(client, schedule, NOW - HOUR)
    assert created["outcome"] == "NOT_A_TICK" and "created at" in created["reason"]
    assert explain(client, schedule, LATER + DAY)["outcome"] == "PENDING"


def test_ticks_that_shared_a_row_go_with_it(client: Client, schedule: str) -> None:
    look(client, NOW + 50 * HOUR)
    missed = explain(client, schedule, NOW + 20 * HOUR)
    assert missed["outcome"] == "MISSED"
    prune(client, LATER)
    pruned = explain(client, schedule, NOW + 20 * HOUR)
    assert (pruned["outcome"], pruned["reason"]) == ("NOT_A_TICK", "pruned")


def test_a_tick_before_the_last_run_allowed_is_pruned_not_ended(client: Client) -> None:
    body = {"cronExpression": "0 * * * *", "maxRuns": 2}
    schedule = client.post(PATH, body).json["id"]
    for hours in (1, 2):
        run(client, NOW + hours * HOUR)
    prune(client, LATER)
    assert explain(client, schedule, NOW + HOUR)["reason"] == "pruned"
    assert explain(client, schedule, NOW + 3 * HOUR)["reason"] == "ended"


def test_the_schedule_reads_as_before(client: Client, schedule: str) -> None:
    before = client.get(PATH)
    assert prune(client, LATER).sessions
    after = client.get(PATH)
    assert after.json == before.json
    assert after.headers["ETag"] == before.headers["ETag"]
    assert after.json["lastRunAt"] == text(NOW + 3 * HOUR)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_backfill_of_what_is_pruned_is_refused(
    client: Client, schedule: str, dry_run: bool
) -> None:
    prune(client, LATER)
    for since in (NOW - 9 * HOUR, NOW + HOUR, NOW + 5 * HOUR):
        answer = backfill(client, schedule, since, NOW + 9 * HOUR, dryRun=dry_run)
        assert answer.status_code == 422
        (sentence,) = answer.json["errors"]["json"]["from"]
        assert f"What ran until {text(NOW + 5 * HOUR)} is pruned" in sentence
    with client.database.read() as db:
        assert not list(db.scalars(select(AgentSession).where(AgentSession.trigger == "BACKFILL")))


def test_a_backfill_after_what_is_pruned_runs(client: Client, schedule: str) -> None:
    look(client, NOW + 50 * HOUR)
    client.now = NOW + 50 * HOUR
    assert prune(client, NOW + 90 * DAY + 6 * HOUR).sessions == 4
    since = NOW + 5 * HOUR + timedelta(microseconds=1)
    answer = backfill(client, schedule, since, NOW + 9 * HOUR)
    assert answer.status_code == 202
    assert answer.json["ticks"] == [text(NOW + n * HOUR) for n in (6, 7, 8)]


def test_a_changed_jitter_does_not_run_what_is_pruned_again(client: Client, schedule: str) -> None:
    prune(client, LATER)
    client.patch(f"/api/schedules/{schedule}", {"jitterSeconds": 1800})
    answer = backfill(client, schedule, NOW + 3 * HOUR, NOW + 9 * HOUR)
    assert answer.status_code == 422


def test_a_clock_that_was_set_back_decides_nothing_that_is_pruned_again(
    client: Client, schedule: str
) -> None:
    run(client, LATER - HOUR)
    prune(client, LATER + 100 * DAY)
    client.now = NOW + 1.5 * HOUR
    answer = client.patch(f"/api/schedules/{schedule}", {"priority": "LOW"})
    assert datetime.fromisoformat(answer.json["nextRunAt"]) >= LATER - HOUR


def test_a_pruned_session_is_gone_and_a_retry_of_it_is_left(client: Client, schedule: str) -> None:
    failed = client.post("/api/agents/reporter/run").json["id"]
    client.post(f"/api/sessions/{failed}/stop")
    client.now = LATER
    again = client.post(f"/api/sessions/{failed}/retry").json["id"]
    prune(client, LATER)
    for path in ("", "/events", "/stop", "/retry"):
        call = client.post if path in ("/stop", "/retry") else client.get
        assert call(f"/api/sessions/{failed}{path}").status_code == 404
    assert client.get(f"/api/sessions/{again}").status_code == 200
