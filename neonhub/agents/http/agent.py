"""The agent of kind `http`."""

import json
import ssl
import time
from email.message import Message
from http.client import HTTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import Schema
from urllib3.exceptions import HTTPError

import neonhub
from neonhub.agents.base import BaseAgent
from neonhub.agents.errors import NonRetryableError
from neonhub.agents.http.config import HttpConfig, HttpConfigSchema
from neonhub.agents.http.exchange import Answer, Exchange, Request
from neonhub.agents.waiting import Stopped, call_unless_stopped
from neonhub.config import environment
from neonhub.environment import Reader
from neonhub.errors import NeonHubError

ALLOW_PRIVATE = "NEONHUB_HTTP_ALLOW_PRIVATE"
_TRANSIENT = frozenset({408, 425, 429})


class CallFailed(NeonHubError):
    """The call failed, and may succeed later."""


class HttpAgent(BaseAgent):
    """Calls a URL and keeps the answer.

    A failing network and the statuses 408, 425, 429 and 5xx are retried; every other status that
    was not expected ends the session.
    """

    kind = "http"
    config_schema: ClassVar[type[Schema] | None] = HttpConfigSchema

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        """Call the URL.

        Returns:
            `{status, headers, body|bodyJson, bytes}`, with `truncated: true` if the body was
            longer than `maxBytes`; `{stopped: true}` if the agent was asked to stop before.

        Raises:
            CallFailed: The network failed, or the status is one that may pass.
            NonRetryableError: The config, the address, the certificate or the status is wrong.
        """
        call = HttpConfig.read(config)
        where = f"{call.method} {_without_query(call.url)}"
        started = time.monotonic()
        try:
            answer = self._call(call)
        except Stopped:
            return {"stopped": True}
        except ssl.SSLCertVerificationError as error:
            raise NonRetryableError(f"{where}: {error.verify_message}.") from error
        except (OSError, HTTPError, HTTPException) as error:
            raise CallFailed(f"{where} failed: {_reason(error)}.") from error
        self._log_answer(where, answer, time.monotonic() - started)
        _check_status(call, where, answer)
        return _result(answer)

    def _call(self, call: HttpConfig) -> Answer:
        exchange = Exchange(
            self._request(call),
            timeout_seconds=call.timeout_seconds,
            max_bytes=call.max_bytes,
            allow_private=_is_private_allowed(),
            is_wanted=call.expects,
            on_read=self._report,
        )
        return call_unless_stopped(
            self, exchange.run, timeout_seconds=call.timeout_seconds, abandon=exchange.cancel
        )

    def _request(self, call: HttpConfig) -> Request:
        body, content_type = call.content()
        defaults = {"Accept": "*/*", "User-Agent": f"NeonHub/{neonhub.__version__}"}
        if content_type is not None:
            defaults["Content-Type"] = content_type
        if call.method in ("POST", "PATCH"):
            defaults["Idempotency-Key"] = self.idempotency_key
        given = {name.lower() for name in call.headers}
        kept = {name: value for name, value in defaults.items() if name.lower() not in given}
        return Request(call.method, call.url, {**kept, **call.headers}, body)

    def _report(self, done: int, total: int | None) -> None:
        if total:
            self.report_progress(100 * done / total, f"{done} of {total} bytes")

    def _log_answer(self, where: str, answer: Answer, seconds: float) -> None:
        self.log_event(
            "response",
            f"{where} answered {answer.status}.",
            {
                "status": answer.status,
                "bytes": len(answer.body),
                "durationMs": round(seconds * 1000),
            },
        )


def _reason(error: Exception) -> str:
    """Why the network failed, without the names of the library's own objects."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _is_private_allowed() -> bool:
    read = Reader(environment())
    allowed = read.flag(ALLOW_PRIVATE, False)
    read.finish()
    return allowed


def _check_status(call: HttpConfig, where: str, answer: Answer) -> None:
    if call.expects(answer.status):
        return
    wanted = ", ".join(map(str, call.expected_status or ())) or "200 to 299"
    said = " ".join(_text(answer).split())[:200]
    sentence = f"{where} answered {answer.status}, expected {wanted}{said and ': ' + said}"
    may_pass = answer.status in _TRANSIENT or answer.status >= 500
    raise CallFailed(sentence) if may_pass else NonRetryableError(sentence)


def _result(answer: Answer) -> dict[str, Any]:
    result: dict[str, Any] = {"status": answer.status, "headers": answer.headers}
    try:
        result["bodyJson"] = _json(answer)
    except (ValueError, RecursionError):
        result["body"] = _text(answer)
    result["bytes"] = len(answer.body)
    if answer.is_truncated:
        result["truncated"] = True
    return result


def _json(answer: Answer) -> Any:
    """The body as JSON.

    Raises:
        ValueError: It is not JSON, or not said to be, or cut off.
    """
    media_type = _content_type(answer).get_content_type()
    if answer.is_truncated or not (media_type.endswith(("/json", "+json"))):
        raise ValueError(media_type)
    return json.loads(answer.body, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _text(answer: Answer) -> str:
    charset = _content_type(answer).get_content_charset("utf-8")
    try:
        return answer.body.decode(charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def _content_type(answer: Answer) -> Message:
    message = Message()
    message["Content-Type"] = answer.headers.get("content-type", "application/octet-stream")
    return message


def _without_query(url: str) -> str:
    """A URL that may be logged: what follows `?` often holds a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
