"""Reads bodies: all of them that came, as JSON of which every reader takes the same."""

import json
import re
from math import isinf
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from webargs.core import missing
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from neonhub.api.query import QueryParser

BROKEN_BODY = (OSError, ParseException, ClientDisconnected)
"""What reading a body raises whose chunks are malformed, or end too early."""


class UnkeepableBody(json.JSONDecodeError):
    """JSON by its grammar, and more than can be stored; the message is for the client."""


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class BodyParser(QueryParser):
    """Reads JSON as the standard has it: no NaN, no NUL, no half of a character."""

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            return missing
        text = _read(req).decode("utf-8")
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


def _read(req: Request) -> bytes:
    """The whole body; werkzeug cuts one without a length off at the limit."""
    try:
        data = req.get_data(cache=True)
        limit = req.max_content_length
        is_cut = req.content_length is None and limit is not None and len(data) >= limit
        if is_cut and req.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
    except BROKEN_BODY:
        raise _unkeepable("The body is cut short, or its chunks are malformed.") from None
    return data


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
