"""Fixtures every test may ask for."""

from tests.databases import database, postgres_template, sqlite_template
from tests.services import postgres_server_url, postgres_url, redis_connection, redis_url

__all__ = [
    "database",
    "postgres_server_url",
    "postgres_template",
    "postgres_url",
    "redis_connection",
    "redis_url",
    "sqlite_template",
]
