"""Builds the web application."""

from importlib.resources import files
from pathlib import Path

import flask_swagger_ui
from flask import Flask, Response, redirect, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from redis import Redis

from neonhub import __version__
from neonhub.agents import AgentManager
from neonhub.agents.repository import AgentRepository
from neonhub.api import (
    agents,
    schedule_actions,
    schedule_times,
    scheduler,
    schedules,
    sessions,
    system,
)
from neonhub.api.document import PathPlugin
from neonhub.api.errors import Api
from neonhub.api.guard import guard
from neonhub.api.metrics import register_metrics
from neonhub.api.schedule_id import ScheduleId
from neonhub.api.services import Services
from neonhub.api.ws import register_ws
from neonhub.clock import Clock, utcnow
from neonhub.config import Settings
from neonhub.database import Database
from neonhub.events import FanOut
from neonhub.execution.session_manager import SessionManager
from neonhub.scheduling.schedule_manager import ScheduleManager

DESCRIPTION = (
    "NeonHub runs recurring AI agents: say what runs and when, it runs on time, once, and you "
    "watch it live on the WebSocket `/ws`."
)
_BLUEPRINTS = (
    agents,
    schedules,
    schedule_actions,
    schedule_times,
    sessions,
    scheduler,
    system,
)
_STATIC = Path(str(files("neonhub.api"))) / "static"
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


def create_app(
    settings: Settings, database: Database, redis: Redis, *, clock: Clock = utcnow
) -> Flask:
    """Build the web application; nothing connects before the first request.

    Raises:
        ConfigError: A module of agents cannot be imported.
    """
    app = Flask("neonhub", static_folder=None)
    # Flask's own redirects would answer with HTML.
    app.url_map.strict_slashes = False
    app.url_map.converters["schedule_id"] = ScheduleId
    app.json.sort_keys = False  # type: ignore[attr-defined]
    kinds = AgentManager(settings.agent_modules)
    app.extensions["neonhub"] = Services(
        settings=settings,
        database=database,
        redis=redis,
        clock=clock,
        agents=AgentRepository(database, kinds, clock=clock),
        schedules=ScheduleManager(database, redis, max_retries=settings.max_retries, clock=clock),
        sessions=SessionManager(database, redis, max_retries=settings.max_retries, clock=clock),
    )
    guard(app, settings)
    _register_api(app)
    fanout = FanOut(settings.redis_url or "")
    register_ws(app, fanout, redis, max_clients=settings.ws_max_clients)
    register_metrics(app, database, redis, fanout)
    _register_pages(app)
    return app


def _register_api(app: Flask) -> None:
    app.config.update(
        API_TITLE="NeonHub",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_SWAGGER_UI_PATH="/docs",
        OPENAPI_SWAGGER_UI_URL="/docs/assets/",
        OPENAPI_SWAGGER_UI_CONFIG={"deepLinking": True, "tryItOutEnabled": True},
    )
    info = {"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}}
    spec = {"info": info, "servers": [{"url": "/"}], "flask_plugin": PathPlugin()}
    api = Api(app, spec_kwargs=spec)
    for module in _BLUEPRINTS:
        api.register_blueprint(module.blueprint)


def _register_pages(app: Flask) -> None:
    @app.get("/")
    def home() -> ResponseReturnValue:
        return send_from_directory(_STATIC, "index.html")

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(_STATIC, name)

    @app.get("/docs/assets/<path:name>")
    def swagger_ui(name: str) -> Response:
        return send_from_directory(_SWAGGER_UI, name)

    @app.get("/favicon.ico")
    def icon() -> ResponseReturnValue:
        return redirect(url_for("static", name="icon.svg"))
