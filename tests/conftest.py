"""Fixtures every test may ask for."""

from hypothesis import settings

from tests.databases import database, postgres_template, sqlite_template, statements
from tests.services import postgres_server_url, postgres_url, redis_connection, redis_url

# How long an example takes says something of the machine, nothing of the rule.
settings.register_profile("neonhub", deadline=None, print_blob=True)
settings.load_profile("neonhub")

__all__ = [
    "database",
    "postgres_server_url",
    "postgres_template",
    "postgres_url",
    "redis_connection",
    "redis_url",
    "sqlite_template",
    "statements",
]
