"""What holds for every request: its id, who may send it, how large it may be, CORS."""

import re
from contextlib import suppress
from http import HTTPStatus

from flask import Flask, Response, g, request
from werkzeug.wsgi import get_input_stream

from neonhub.api.body import BROKEN_BODY
from neonhub.api.errors import error_response
from neonhub.api.metrics_port import METRICS_PORT
from neonhub.api.origin import is_allowed, is_known_host, is_known_origin
from neonhub.config import Settings
from neonhub.ids import new_id

MAX_BODY_READ = 8 * 1024 * 1024
"""Of a body that is refused."""
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_WRITES = {"POST", "PUT", "PATCH"}
_PROBES = {"/healthz", "/readyz"}
_CORS_HEADERS = "Content-Type, If-Match, Idempotency-Key, X-Request-Id"
_EXPOSED = "ETag, Location, Retry-After, X-Request-Id"
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"


def guard(app: Flask, settings: Settings) -> None:
    """Check every request before its view, and complete every answer after it."""
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes

    @app.before_request
    def check() -> Response | None:
        _take_request_id()
        return _refuse_stranger(settings) or _answer_preflight(settings) or _refuse_type()

    @app.after_request
    def complete(response: Response) -> Response:
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            _read_the_rest()
        response.headers["X-Request-Id"] = g.get("request_id", "")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        origin = request.headers.get("Origin")
        if origin is not None and is_known_origin(origin, settings):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers.add("Vary", "Origin")
        return response


def _read_the_rest() -> None:
    """Take in what a client still sends: closed with that unread, it would miss the answer."""
    is_read = "stream" in vars(request._get_current_object())  # type: ignore[attr-defined]
    if is_read and not _is_chunked():
        return
    stream, left = get_input_stream(request.environ), MAX_BODY_READ
    with suppress(*BROKEN_BODY):
        while left > 0 and (read := stream.read(min(left, 65_536))):
            left -= len(read)


def _take_request_id() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.match(given) else new_id()


def _refuse_stranger(settings: Settings) -> Response | None:
    host, origin = request.headers.get("Host"), request.headers.get("Origin")
    # A load balancer asks by address, and is told no more than what is up.
    is_open = request.path in _PROBES or METRICS_PORT in request.environ
    if is_open and origin is None:
        return None
    if is_allowed(host, origin, settings):
        return None
    if not is_known_host(host, settings):
        return error_response(403, f"Host {host!r} is not allowed; add it to ALLOWED_HOSTS.")
    return error_response(403, f"Origin {origin!r} is not allowed; add it to CORS_ORIGIN.")


def _answer_preflight(settings: Settings) -> Response | None:
    wanted = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or wanted is None:
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = _CORS_HEADERS
    response.headers["Access-Control-Max-Age"] = "600"
    return response


def _refuse_type() -> Response | None:
    has_body = bool(request.content_length) or _is_chunked()
    if request.method not in _WRITES or not has_body:
        return None
    if request.mimetype != "application/json":
        found = request.mimetype or "untyped"
        return error_response(415, f"The body must be application/json, not {found!r}.")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        sentence = f"The body is encoded with {encoding!r}; send it without a Content-Encoding."
        return error_response(415, sentence)
    return None


def _is_chunked() -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()
