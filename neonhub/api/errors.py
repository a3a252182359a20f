"""One shape for every error, whoever raised it."""

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from flask import Response, current_app, g, jsonify
from flask_smorest import Api as SmorestApi
from flask_smorest.utils import prepare_response
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from neonhub.api.body import UnkeepableBody
from neonhub.api.document import DEFAULT_DESCRIPTION, example_of
from neonhub.api.schemas.errors import ErrorSchema
from neonhub.errors import DatabaseAway, DependencyAway, InvalidInput, NeonHubError, RedisAway

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "2"
MAX_SENTENCE = 500
"""Characters; of a longer one the middle is left out."""
MAX_FIELDS = 20
"""Fields that an answer tells about; nobody reads about more at once."""

_TRY_AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_SENTENCES = {
    400: "The body is not valid JSON.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body is larger than {limit} bytes (NEONHUB_MAX_BODY_BYTES).",
    415: "The body must be application/json.",
    500: "Something went wrong in NeonHub; its log has the details under this requestId.",
}


class Api(SmorestApi):  # type: ignore[misc]
    """flask-smorest's, answering errors in our shape."""

    ERROR_SCHEMA = ErrorSchema

    def _register_responses(self) -> None:
        response = {"description": DEFAULT_DESCRIPTION, "schema": self.ERROR_SCHEMA}
        response["example"] = example_of(405)
        prepare_response(response, self.spec, self.DEFAULT_RESPONSE_CONTENT_TYPE)
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, response)

    def _register_pagination_header(self) -> None:
        """Nothing: pages are bodies here."""

    def _register_error_handlers(self) -> None:
        super()._register_error_handlers()
        self._app.register_error_handler(NeonHubError, _of_ours)
        self._app.register_error_handler(OperationalError, _of_database)
        self._app.register_error_handler(InterfaceError, _of_database)
        self._app.register_error_handler(PoolTimeout, _of_database)
        self._app.register_error_handler(RedisError, lambda _: _of_ours(RedisAway()))
        self._app.register_error_handler(Exception, _of_a_crash)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what Flask, werkzeug or webargs raised."""
        if error.response is not None:
            return error.get_response()  # type: ignore[return-value]
        code = error.code or 500
        data: Mapping[str, Any] = getattr(error, "data", None) or {}
        messages = data.get("messages") if code == 422 else None
        fields = messages and {place: _flat(found) for place, found in messages.items()}
        response = error_response(code, _sentence(code, fields, error), fields)
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response


def error_response(code: int, message: str, errors: Mapping[str, Any] | None = None) -> Response:
    """Build an error answer.

    Args:
        errors: Place (`json`, `query`, `headers`) → field → sentences.
    """
    payload: dict[str, Any] = {
        "code": code,
        "status": HTTP_STATUS_CODES[code],
        "message": _short(message),
        "requestId": g.get("request_id", ""),
    }
    if errors:
        payload["errors"] = {place: _shortened(fields) for place, fields in errors.items()}
    response = jsonify(payload)
    response.status_code = code
    if code in _TRY_AGAIN:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _shortened(fields: Mapping[str, list[str]]) -> dict[str, list[str]]:
    first = islice(fields.items(), MAX_FIELDS)
    return {_short(name): [_short(sentence) for sentence in said] for name, said in first}


def _short(text: str) -> str:
    """One line, whatever a client sent is quoted in it."""
    if len(text) > MAX_SENTENCE:
        half = MAX_SENTENCE // 2
        text = f"{text[:half]}…{text[-half:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _of_ours(error: NeonHubError) -> Response:
    if isinstance(error, DependencyAway):
        logger.error("%s", error.message)
    if isinstance(error, InvalidInput):
        place = "headers" if "Idempotency-Key" in error.errors else "json"
        return error_response(error.status_code, error.message, {place: error.errors})
    return error_response(error.status_code, error.message)


def _of_database(error: DBAPIError | PoolTimeout) -> Response:
    logger.error("The database does not answer: %s", getattr(error, "orig", error))
    return error_response(DatabaseAway.status_code, DatabaseAway().message)


def _of_a_crash(error: Exception) -> Response:
    logger.error("A request failed: %s", error, exc_info=error)
    return error_response(500, _SENTENCES[500])


def _sentence(code: int, fields: Mapping[str, Any] | None, error: HTTPException) -> str:
    for found in (fields or {}).values():
        for field, sentences in found.items():
            return str(sentences[0]) if field == "_schema" else f"{field}: {sentences[0]}"
    if isinstance(cause := getattr(error, "exc", None), UnkeepableBody):
        return cause.msg
    sentence = _SENTENCES.get(code) or str(error.description or HTTP_STATUS_CODES[code])
    return sentence.replace("{limit}", str(current_app.config["MAX_CONTENT_LENGTH"]))


def _flat(found: Any) -> dict[str, list[str]]:
    """marshmallow's nested messages as field → sentences, inner fields dotted."""
    if isinstance(found, Mapping):
        return dict(_walk(found, ""))
    return {"_schema": [str(sentence) for sentence in found]}


def _walk(found: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for name, inner in found.items():
        path = f"{prefix}{name}"
        if isinstance(inner, Mapping):
            yield from _walk(inner, f"{path}.")
        else:
            yield path, [str(sentence) for sentence in inner]
