"""The web application with the database and the Redis of its settings."""

from flask import Flask

from neonhub.api.app import create_app
from neonhub.api.metrics_port import MetricsPort
from neonhub.config import Settings, require_redis_url
from neonhub.database import Database
from neonhub.redis.connect import connect

DATABASE_CONNECTIONS = 10
"""Kept open by one web process; requests beyond three times as many wait."""


def wired_app(settings: Settings) -> Flask:
    """Build the application; nothing connects before the first request.

    Raises:
        ConfigError: REDIS_URL is unset, or a module of agents cannot be imported.
    """
    database = Database(settings.database_url, pool_size=DATABASE_CONNECTIONS, greenlets=True)
    app = create_app(settings, database, connect(require_redis_url(settings)))
    if settings.prometheus_port is not None:
        app.wsgi_app = MetricsPort(app.wsgi_app, settings.prometheus_port)  # type: ignore[method-assign]
    return app
