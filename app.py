"""NeonHub: `create_app()` for a web server; run as a program, the whole system on one machine."""

import sys
from pathlib import Path

from flask import Flask

from neonhub.api.app import create_app as build_app
from neonhub.api.metrics_port import MetricsPort
from neonhub.config import Settings, load_settings, require_redis_url
from neonhub.database import Database
from neonhub.redis.connect import connect
from neonhub.startup import run_process
from neonhub.system.part import PartRefused
from neonhub.system.system import System

DATABASE_CONNECTIONS = 10
"""Kept open by one web process; requests beyond three times as many wait."""


def create_app(settings: Settings | None = None) -> Flask:
    """Build the web application; nothing connects before the first request.

    Args:
        settings: Read from the environment if not given.

    Raises:
        ConfigError: A setting is wrong, or REDIS_URL is unset.
    """
    settings = load_settings() if settings is None else settings
    database = Database(settings.database_url, pool_size=DATABASE_CONNECTIONS)
    app = build_app(settings, database, connect(require_redis_url(settings)))
    if settings.prometheus_port is not None:
        app.wsgi_app = MetricsPort(app.wsgi_app, settings.prometheus_port)  # type: ignore[method-assign]
    return app


def run_system(settings: Settings) -> None:
    """Run everything until SIGTERM or Ctrl-C."""
    try:
        System(settings, root=Path(__file__).resolve().parent).run()
    except PartRefused as error:
        sys.exit(error.message)


if __name__ == "__main__":
    run_process("app", run_system)
