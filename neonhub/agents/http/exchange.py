"""One HTTP exchange: checked addresses, followed redirects, a cap on what is read."""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from marshmallow import ValidationError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from neonhub.agents.errors import NonRetryableError
from neonhub.agents.http.addresses import resolve
from neonhub.agents.http.config import check_url

MAX_REDIRECTS = 5
CHUNK_BYTES = 64 * 1024

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._?[]"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_BODY_HEADERS = frozenset({"content-type", "content-encoding", "content-language"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]  # names in small letters; no cookies
    body: bytes
    is_truncated: bool


class Exchange:
    """Sends one request, follows where it is sent on to, and reads the answer."""

    def __init__(
        self,
        request: Request,
        *,
        timeout_seconds: float,
        max_bytes: int,
        allow_private: bool,
        is_wanted: Callable[[int], bool],
        on_read: Callable[[int, int | None], None] = lambda done, total: None,
    ) -> None:
        """
        Args:
            timeout_seconds: For each wait on the network.
            max_bytes: How much of the body to keep, after it is decoded.
            allow_private: Whether loopback and private addresses may be called.
            is_wanted: Whether a status is the answer itself, a redirect's status included.
            on_read: Called with the bytes read so far and the announced total, if there is one.
        """
        self._request = request
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._allow_private = allow_private
        self._is_wanted = is_wanted
        self._on_read = on_read
        self._socket: socket.socket | None = None
        self._is_cancelled = False

    def run(self) -> Answer:
        """Do it.

        Raises:
            NonRetryableError: An address is private, or a redirect leads nowhere.
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: The network failed.
        """
        request = self._request
        for _ in range(MAX_REDIRECTS + 1):
            connection = self._connect(request.url)
            self._socket = connection.sock  # the connection may let go of it before we are done
            with closing(connection), closing(_send(connection, request)) as response:
                target = self._redirect(request, response)
                if target is None:
                    return self._read(response)
            request = target
        raise NonRetryableError(f"{request.url} was the {MAX_REDIRECTS + 1}th redirect in a row.")

    def cancel(self) -> None:
        """End it from another thread: whatever waits on the network fails at once."""
        self._is_cancelled = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _connect(self, url: str) -> HTTPConnection:
        """Connect to a checked address of the URL's host, the first that answers."""
        parts = urlsplit(url)
        host = _ascii_host(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        failure: OSError | HTTPError | None = None
        for address in resolve(host, port, allow_private=self._allow_private):
            connection = _connection(parts.scheme, address, port, host, self._timeout_seconds)
            try:
                connection.connect()
                return connection
            except (OSError, HTTPError) as error:
                connection.close()
                failure = error
        raise failure or OSError(f"{host} has no address")

    def _redirect(self, request: Request, response: BaseHTTPResponse) -> Request | None:
        """Where to go on; None if this response is the answer."""
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or self._is_wanted(response.status) or not location:
            return None
        return _follow(request, response.status, location)

    def _read(self, response: BaseHTTPResponse) -> Answer:
        body = bytearray()
        announced = response.headers.get("content-length", "")
        total = int(announced) if announced.isdecimal() and len(announced) < 16 else None
        while len(body) <= self._max_bytes and not self._is_cancelled:
            chunk = response.read(min(CHUNK_BYTES, self._max_bytes + 1), decode_content=True)
            if not chunk:
                break
            body += chunk
            self._on_read(len(body), total)
        if self._is_cancelled:
            raise ConnectionAbortedError("The exchange was cancelled.")
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.pop("set-cookie", None)
        return Answer(
            status=response.status,
            headers=headers,
            body=bytes(body[: self._max_bytes]),
            is_truncated=len(body) > self._max_bytes,
        )


def _connection(
    scheme: str, address: str, port: int, host: str, timeout_seconds: float
) -> HTTPConnection:
    if scheme == "http":
        return HTTPConnection(address, port, timeout=timeout_seconds)
    return HTTPSConnection(
        address,
        port,
        timeout=timeout_seconds,
        ssl_context=ssl.create_default_context(),
        server_hostname=host,
    )


def _send(connection: HTTPConnection, request: Request) -> BaseHTTPResponse:
    parts = urlsplit(request.url)
    host = _ascii_host(request.url)
    shown = f"[{host}]" if ":" in host else host
    target = quote(parts.path or "/", safe=_SAFE_IN_PATH)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE_IN_PATH)
    connection.request(
        request.method,
        target,
        body=request.body,
        headers={**request.headers, "Host": f"{shown}:{parts.port}" if parts.port else shown},
        preload_content=False,
    )
    return connection.getresponse()


def _ascii_host(url: str) -> str:
    return (urlsplit(url).hostname or "").encode("idna").decode("ascii")


def _follow(request: Request, status: int, location: str) -> Request:
    """The request a redirect asks for; secrets stay with the origin they were meant for.

    Raises:
        NonRetryableError: The new place cannot be called.
    """
    # A header comes as Latin-1, but a URL in it is UTF-8 where it is not ASCII.
    place = location.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        url = urljoin(request.url, place)
        check_url(url)
    except (ValueError, ValidationError) as error:
        raise NonRetryableError(f"It redirects to '{place[:200]}': {error}") from error
    if _origin(url) != _origin(request.url):
        request = replace(request, headers=_without(request.headers, _SECRET_HEADERS))
    becomes_get = status == 303 or (status in (301, 302) and request.method == "POST")
    if becomes_get and request.method != "HEAD":
        headers = _without(request.headers, _BODY_HEADERS)
        request = replace(request, method="GET", headers=headers, body=None)
    return replace(request, url=url)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _without(headers: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}
