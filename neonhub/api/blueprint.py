"""A blueprint whose every operation documents the errors any request can get."""

import json
import re
from math import isinf
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.http import HTTP_STATUS_CODES

from neonhub.api.schemas.errors import ErrorSchema

View = TypeVar("View")


class Same(Protocol):
    """A decorator that keeps the type of what it decorates."""

    def __call__(self, view: View, /) -> View:
        """Decorate a view."""
        ...


_ANY = (403, 500, 503)
_MEANING = {
    400: "The body is not JSON.",
    403: "The host or the origin is not allowed.",
    404: "There is no such thing.",
    409: "The present state does not allow this.",
    412: "The `If-Match` version is not the current one.",
    413: "The body is larger than NEONHUB_MAX_BODY_BYTES, by default 1 MiB.",
    415: "The body is not `application/json`.",
    422: "A field is wrong; `errors` says which.",
    429: "As many sessions of the agent wait as NEONHUB_MAX_QUEUED allows; try again later.",
    500: "A fault in NeonHub; the log has it under `requestId`.",
    503: "The database or Redis is away; `Retry-After` says when to try again.",
}
LOCATION_HEADER = {
    "Location": {"required": True, "schema": {"type": "string"}, "description": "Its address"}
}
RETRY_AFTER_HEADER = {
    "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "Seconds"}
}
_HEADERS = {429: RETRY_AFTER_HEADER, 503: RETRY_AFTER_HEADER}


class UnkeepableBody(json.JSONDecodeError):
    """JSON by its grammar, and more than can be stored; the message is for the client."""


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class BodyParser(FlaskParser):
    """Reads JSON as the standard has it: no NaN, no NUL, no half of a character."""

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            return missing
        text = req.get_data(cache=True).decode("utf-8")
        try:
            body = json.loads(
                text,
                parse_constant=_refuse_constant,
                parse_float=_finite,
                object_pairs_hook=_with_each_name_once,
            )
            json.dumps(body, ensure_ascii=False).encode("utf-8")
        except json.JSONDecodeError:
            raise
        except RecursionError:
            raise _unkeepable("The body is nested too deeply.") from None
        except UnicodeEncodeError:
            raise _unkeepable("The body has a surrogate without its other half.") from None
        except ValueError:
            raise _unkeepable("The body has a number of too many digits.") from None
        if _NUL.search(text):
            raise _unkeepable("The body has the character NUL, which cannot be stored.")
        return body


def _unkeepable(sentence: str) -> UnkeepableBody:
    return UnkeepableBody(sentence, "{", 0)  # with an empty text it would pass for no body


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _unkeepable("The body has a number too large to be kept.")
    return number


def _with_each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values of one name, readers differ in which they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _unkeepable("The body has an object with the same name twice.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError("not JSON", name, 0)


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """flask-smorest's, with our parser and our errors."""

    ARGUMENTS_PARSER = BodyParser()

    if TYPE_CHECKING:  # flask-smorest has no types; these are the ones its decorators keep

        def arguments(self, schema: Any, **options: Any) -> Same:
            """Parse and check what a request carries."""

        def response(self, status_code: int, schema: Any = None, **options: Any) -> Same:
            """Document and write an answer."""

        def alt_response(self, status_code: int, **options: Any) -> Same:
            """Document another answer."""

        def doc(self, **options: Any) -> Same:
            """Document whatever else."""

        def route(self, rule: str, **options: Any) -> Same:
            """Serve a view."""

    def fails(self, *codes: int) -> Same:
        """Document the errors of an operation, besides those every one can have."""

        def decorate(view: View) -> View:
            for code in sorted({*codes, *_ANY}, reverse=True):
                view = self.alt_response(
                    code,
                    schema=ErrorSchema,
                    description=f"{HTTP_STATUS_CODES[code]}: {_MEANING[code]}",
                    headers=_HEADERS.get(code),
                    success=False,
                )(view)
            return view

        return decorate


BODY_ERRORS = (400, 413, 415, 422)
"""What a body can be answered with."""
