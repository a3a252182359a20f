"""A failed session starts again when its time has come, and only then."""

from datetime import timedelta

from neonhub.database import Database
from neonhub.domain.states import Priority, SessionStatus
from neonhub.execution.retries import queue_due_retries, retry_instants
from neonhub.models import Agent
from tests.factories import NOW, add_session, reload

SECOND = timedelta(seconds=1)
RETRYING = {"status": SessionStatus.RETRYING, "failures": 1, "attempt": 2, "started_at": NOW}


def test_a_due_retry_is_queued_as_the_next_attempt(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, next_attempt_at=NOW, **RETRYING)
    with database.begin() as db:
        (job,) = queue_due_retries(db, [session.id], NOW)
    again = reload(database, session)
    assert (job.id, job.queue) == (f"{session.id}-3-2", "normal")
    assert (again.status, again.attempt, again.pushes) == (SessionStatus.QUEUED, 3, 2)
    assert (again.next_attempt_at, again.pushed_at) == (None, NOW)


def test_a_retry_before_its_time_waits(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, next_attempt_at=NOW + SECOND, **RETRYING)
    with database.begin() as db:
        assert queue_due_retries(db, [session.id], NOW) == []
        assert retry_instants(db, [session.id]) == {session.id: NOW + SECOND}


def test_a_retry_is_queued_once(database: Database, agent: Agent) -> None:
    session = add_session(database, agent, next_attempt_at=NOW, **RETRYING)
    with database.begin() as db:
        assert len(queue_due_retries(db, [session.id], NOW)) == 1
    with database.begin() as db:
        assert queue_due_retries(db, [session.id], NOW + SECOND) == []
        assert retry_instants(db, [session.id]) == {}


def test_the_most_urgent_retry_goes_first(database: Database, agent: Agent) -> None:
    low, critical = (
        add_session(database, agent, next_attempt_at=NOW, priority=priority, **RETRYING)
        for priority in (Priority.LOW, Priority.CRITICAL)
    )
    with database.begin() as db:
        jobs = queue_due_retries(db, [low.id, critical.id], NOW)
    assert [(job.session_id, job.queue) for job in jobs] == [
        (critical.id, "critical"),
        (low.id, "low"),
    ]


def test_sessions_that_do_not_retry_are_left_alone(database: Database, agent: Agent) -> None:
    waiting = add_session(database, agent)
    with database.begin() as db:
        assert queue_due_retries(db, [waiting.id, "unknown"], NOW) == []
        assert queue_due_retries(db, [], NOW) == []
