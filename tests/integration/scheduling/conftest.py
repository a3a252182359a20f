"""An agent, the shared limits and timers, for every test of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from neonhub.database import Database
from neonhub.models import Agent
from neonhub.redis.connect import connect
from neonhub.scheduling.timers import Timers
from tests.factories import add_agent, add_fleet


@pytest.fixture
def agent(database: Database) -> Agent:
    """An agent in a fleet with the default limits."""
    add_fleet(database)
    return add_agent(database)


@pytest.fixture
def timers(redis_connection: Redis) -> Iterator[Timers]:
    """Timers on an empty server."""
    timers = Timers(redis_connection)
    yield timers
    timers.stop_listening()


@pytest.fixture
def away_redis(tmp_path: Path) -> Iterator[Redis]:
    """A connection to a server that is not there."""
    with connect(f"unix://{tmp_path}/nobody.sock") as connection:
        yield connection
