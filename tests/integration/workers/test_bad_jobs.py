"""What a worker of the pool makes of jobs that are not ours, broken, or poisoned."""

import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from neonhub.clock import utcnow
from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models import AgentSession
from neonhub.redis.queues import ENTRY_POINT, Job, hand_over, queued_job_ids
from tests.factories import add_agent, add_fleet, add_session, reload
from tests.integration.workers.pools import running_pool
from tests.waiting import wait_until
from workers.pool_worker import PoolWorker

BAD_ID = "bad"


class Poison:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def end_the_worker(*_: object) -> None:
    """What a stranger would have run beside a job."""
    os._exit(9)


def call(function: str = ENTRY_POINT, *args: Any, **kwargs: Any) -> bytes:
    return zlib.compress(pickle.dumps((function, None, args, kwargs)))


OURS = call(ENTRY_POINT, "0" * 32, 1)

HASHES: dict[str, dict[str, Any]] = {
    "no hash at all": {},
    "no data": {"origin": "high"},
    "data that is neither compressed nor pickled": {"data": b"garbage"},
    "data that is compressed garbage": {"data": zlib.compress(b"garbage")},
    "another function": {"data": call("os.mkdir", "/nonexistent")},
    "our function with other arguments": {"data": call(ENTRY_POINT, "/nonexistent")},
    "our function with keywords": {"data": call(ENTRY_POINT, "0" * 32, 1, a=1)},
    "a session that does not exist": {"data": OURS},
    "a status that is none": {"data": OURS, "status": "perhaps"},
    "a date that is none": {"data": OURS, "created_at": "yesterday"},
    "a timeout that is none": {"data": OURS, "timeout": "soon"},
    "a callback": {"data": OURS, "success_callback_name": f"{__name__}.end_the_worker"},
    "retries without end": {"data": call("x"), "retries_left": 10**9},
    "dependencies that are no list": {"data": OURS, "dependency_ids": "{"},
}


def drain(database: Database, redis: Redis, redis_url: str) -> None:
    """Let a pool empty the queues."""
    with running_pool(database, redis_url):
        wait_until(lambda: not queued_job_ids(redis))
        wait_until(lambda: not unended(database))


def unended(database: Database) -> int:
    """How many sessions are not over."""
    with database.read() as db:
        return db.query(AgentSession).where(AgentSession.finished_at.is_(None)).count()


@pytest.fixture
def good(database: Database, redis_connection: Redis) -> AgentSession:
    """A session whose job waits behind the bad one."""
    add_fleet(database)
    session = add_session(database, add_agent(database, kind="noop"), queued_at=utcnow())
    hand_over(redis_connection, [Job(session.id, 1, 1, "high")])
    return session


def push(redis: Redis, fields: dict[str, Any]) -> None:
    """Put a job in front of all others."""
    if fields:
        for name, value in fields.items():
            redis.hset(f"rq:job:{BAD_ID}", name, value)
    redis.lpush("rq:queue:high", BAD_ID)


@pytest.mark.parametrize("fields", HASHES.values(), ids=HASHES)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_bad_job_is_set_aside_and_the_next_one_runs(
    database: Database,
    redis_connection: Redis,
    redis_url: str,
    good: AgentSession,
    fields: dict[str, Any],
) -> None:
    push(redis_connection, fields)
    drain(database, redis_connection, redis_url)
    assert reload(database, good).status == SessionStatus.COMPLETED
    assert redis_connection.llen("rq:queue:high") == 0


@pytest.mark.parametrize("field", ["data", "meta", "result", "exc_info"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_that_is_pickled_into_a_job_runs(
    database: Database,
    redis_connection: Redis,
    redis_url: str,
    good: AgentSession,
    tmp_path: Path,
    field: str,
) -> None:
    mark = tmp_path / "ran"
    poison = pickle.dumps(Poison(mark))
    fields = {"data": OURS, field: zlib.compress(poison) if field == "data" else poison}
    push(redis_connection, fields)
    drain(database, redis_connection, redis_url)
    assert not mark.exists()
    assert reload(database, good).status == SessionStatus.COMPLETED


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_five_copies_of_a_job_run_once(
    database: Database, redis_connection: Redis, redis_url: str, tmp_path: Path
) -> None:
    add_fleet(database)
    trace = tmp_path / "trace"
    agent = add_agent(database, kind="recorder", path=str(trace))
    session = add_session(database, agent, queued_at=utcnow())
    hand_over(redis_connection, [Job(session.id, 1, push, "high") for push in range(1, 6)])
    drain(database, redis_connection, redis_url)
    assert [line.split()[3] for line in trace.read_text().splitlines()] == ["start", "end"]


def test_a_server_that_tells_an_address_nobody_can_read_is_no_obstacle(
    redis_connection: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client_info(_: Redis) -> dict[str, Any]:
        raise ValueError("not enough values to unpack")  # as redis-py does, of a path with a space

    monkeypatch.setattr(Redis, "client_info", client_info)
    assert PoolWorker(redis_connection).ip_address == "unknown"
