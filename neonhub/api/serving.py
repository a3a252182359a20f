"""What the web process does besides answering: waits for the database, ends its sockets."""

import signal
from typing import Any

import gevent
from flask import Flask

from neonhub.api.services import Services
from neonhub.api.ws import close_all
from neonhub.startup import prepare_database

GOING_AWAY = 1001
"""The WebSocket close code of a server that restarts."""


def start(worker: Any) -> None:
    """Take up work in a fresh gunicorn worker; called after gevent has patched."""
    app: Flask = worker.wsgi
    services: Services = app.extensions["neonhub"]
    gevent.spawn(
        prepare_database, services.database, apart=False, should_stop=lambda: not worker.alive
    )
    gevent.signal_handler(signal.SIGTERM, _end, worker)


def _end(worker: Any) -> None:
    # Gunicorn waits for open connections, and a WebSocket stays open until someone closes it.
    worker.alive = False
    close_all(GOING_AWAY)
