"""What the OpenAPI document says of every call: its path, and how it fails."""

from collections.abc import Mapping
from typing import Any

from flask_smorest.spec.plugins import FlaskPlugin
from werkzeug.http import HTTP_STATUS_CODES

_ID = "01a209fe2c717d4fb7e329746fcf1024"
_PATH_PARAMETERS = {
    "agent_id": ("agentId", "The agent's slug", "daily-report"),
    "schedule_id": ("scheduleId", "The schedule's id", _ID),
    "session_id": ("sessionId", "The session's id", _ID),
}
_MEANING = {
    400: "The body is not JSON, was cut short, or holds what can't be kept: NUL, half a surrogate "
    "pair, a number of thousands of digits or beyond 1e308, the same name twice, deep nesting.",
    403: "The host or the origin is not allowed.",
    404: "There is no such thing.",
    409: "The present state does not allow this.",
    412: "The `If-Match` version is not the current one.",
    413: "The body is larger than NEONHUB_MAX_BODY_BYTES, by default 1 MiB.",
    415: "The body is not `application/json`, or has a `Content-Encoding`.",
    422: "A field or a parameter is wrong; `errors` says which.",
    429: "As many sessions of the agent wait as NEONHUB_MAX_QUEUED allows; try again later.",
    500: "A fault in NeonHub; the log has it under `requestId`.",
    503: "The database or Redis is away; `Retry-After` says when to try again.",
}
_SAID = {
    400: "The body is not valid JSON.",
    403: "Host 'evil.example' is not allowed; add it to ALLOWED_HOSTS.",
    404: "No agent has the id 'daily-report'.",
    405: "This address does not take this method.",
    409: "The session has ended already.",
    412: "Version 2 is not the current one, 3; read it again.",
    413: "The body is larger than 1048576 bytes (NEONHUB_MAX_BODY_BYTES).",
    415: "The body must be application/json, not 'text/plain'.",
    422: "reason: Not a valid string.",
    429: "As many sessions of the agent wait as are allowed; try again later.",
    500: "Something went wrong in NeonHub; its log has the details under this requestId.",
    503: "The database does not answer; try again shortly.",
}
DEFAULT_DESCRIPTION = (
    "Any other error, in the same shape: 405 where the address does not take the method (`Allow` "
    "names those it takes), and 414, 417, 431 or 501 for what is no HTTP the server knows."
)


class PathPlugin(FlaskPlugin):  # type: ignore[misc]
    """Names what stands in a path as the contract does, and says what it is."""

    @staticmethod
    def flaskpath2openapi(path: str) -> str:
        """A rule of Flask's as the document has it."""
        found: str = FlaskPlugin.flaskpath2openapi(path)
        for name, (known_as, _, _) in _PATH_PARAMETERS.items():
            found = found.replace(f"{{{name}}}", f"{{{known_as}}}")
        return found

    def rule_to_params(self, rule: Any) -> list[dict[str, Any]]:
        """The parameters of a rule."""
        params: list[dict[str, Any]] = super().rule_to_params(rule)
        for param in params:
            name, description, example = _PATH_PARAMETERS[param["name"]]
            param |= {"name": name, "description": description, "example": example}
        return params


def meaning_of(code: int) -> str:
    """An error's name and what it means."""
    return f"{HTTP_STATUS_CODES[code]}: {_MEANING[code]}"


def example_of(code: int) -> Mapping[str, Any]:
    """An answer with this error."""
    example: dict[str, Any] = {
        "code": code,
        "status": HTTP_STATUS_CODES[code],
        "message": _SAID[code],
        "requestId": _ID,
    }
    if code == 422:
        place, sentence = _SAID[code].split(": ")
        example["errors"] = {"json": {place: [sentence]}}
    return example
