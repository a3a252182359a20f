"""Fixtures every test may ask for."""

from tests.services import postgres_server_url, postgres_url, redis_connection, redis_url
