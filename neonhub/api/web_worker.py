"""Gunicorn's worker, refusing what is not HTTP in the shape of every other error."""

import json
import logging
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from neonhub.ids import new_id

logger = logging.getLogger(__name__)

_REFUSALS = (
    (errors.LimitRequestLine, 414, "The address is longer than 8190 bytes."),
    (errors.LimitRequestHeaders, 431, "The headers are more or longer than is allowed"),
    (errors.ExpectationFailed, 417, "The Expect header is not 100-continue"),
    (errors.UnsupportedTransferCoding, 501, "The Transfer-Encoding is not supported"),
    (errors.ParseException, 400, "The request is not valid HTTP"),
)


class WebWorker(GeventWorker):  # type: ignore[misc]
    """One process of the web server."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that never reached the application."""
        for kind, code, sentence in _REFUSALS:
            if isinstance(exc, kind):
                logger.warning("Refused a request of %s: %s", addr and addr[0], exc)
                detail = "" if sentence.endswith(".") else f": {exc}."
                _write(client, HTTPStatus(code), sentence + detail)
                return
        super().handle_error(req, client, addr, exc)


def _write(client: Any, status: HTTPStatus, message: str) -> None:
    request_id = new_id()
    payload = {
        "code": status.value,
        "status": status.phrase,
        "message": message,
        "requestId": request_id,
    }
    body = json.dumps(payload).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    try:
        write_nonblock(client, head.encode("latin1") + body)
    except OSError as error:
        logger.debug("Nobody waited for the refusal: %s", error)
