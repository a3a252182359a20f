"""An agent and the shared limits, for every test of this folder."""

import pytest

from neonhub.database import Database
from neonhub.models import Agent
from tests.factories import add_agent, add_fleet


@pytest.fixture
def agent(database: Database) -> Agent:
    """An agent in a fleet with the default limits."""
    add_fleet(database)
    return add_agent(database)
