"""The WebSocket `/ws`: what happens, as it happens."""

import json
import logging
import socket
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from flask import Flask, Response, request
from redis import Redis
from redis.exceptions import RedisError

from neonhub.api.errors import error_response
from neonhub.api.outlet import Outlet
from neonhub.api.websocket import WebSocket, handshake_answer, is_handshake
from neonhub.events import NAMES, FanOut, Filter, Flooded, Subscriber, newest_id, replay
from neonhub.events.event import RESYNC_FRAME
from neonhub.events.frames import text_frame

PATH = "/ws"
MAX_MESSAGE_BYTES = 64 * 1024
logger = logging.getLogger(__name__)

PING_SECONDS = 25
SEND_BUFFER_BYTES = 128 * 1024
"""Of the kernel for each client, which doubles it; without it 4 MB would wait for a slow one."""

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
MAX_LISTED = 1000
"""Agents or events one subscription may name."""

_open: "WeakSet[Client]" = WeakSet()
_FIELDS = {
    "subscribe": {"action", "agentIds", "events", "lastEventId"},
    "unsubscribe": {"action"},
    "ping": {"action"},
}


class BadMessage(ValueError):
    """A message that can't be taken, with the reason in words."""


def register_ws(app: Flask, fanout: FanOut, redis: Redis, *, max_clients: int) -> None:
    """Serve `/ws`; who may connect was decided before, as for every other request.

    Args:
        max_clients: Sockets this process serves at once; more are closed with 1013.
    """
    app.extensions["fanout"] = fanout

    @app.before_request
    def refuse_others() -> Response | None:
        if request.path != PATH:
            return None
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return error_response(400, "This address takes WebSocket connections only.")
        if not is_handshake(request):
            return error_response(
                400, "The WebSocket handshake is not that of RFC 6455, version 13."
            )
        return None

    @app.route(PATH, websocket=True)
    def live() -> Response:
        inner, is_lasting = _socket_of(request.environ)
        client = Client(inner, fanout, redis)
        client.accept(request.headers["Sec-WebSocket-Key"], is_full=len(fanout) >= max_clients)
        if is_lasting:
            threading.Thread(target=client.serve, name="socket", daemon=True).start()
        else:
            client.serve()
        return _Taken()


class _Taken(Response):
    """Nothing more to write: the connection is a WebSocket now."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if "gunicorn.socket" in environ:
            raise StopIteration  # by which gunicorn is told so
        return super().__call__(environ, start_response)


def _socket_of(environ: Mapping[str, Any]) -> tuple[socket.socket, bool]:
    """The connection of a request, and whether it outlives the request.

    With gunicorn it does, and what was built for the request is gone before the first message.
    werkzeug's server, for development, shuts the connection down with the request.
    """
    if "gunicorn.socket" in environ:
        return environ["gunicorn.socket"].dup(), True
    return environ["werkzeug.socket"], False


def close_all(code: int) -> None:
    """Close every open socket of this process, such as with 1001 when it restarts."""
    for client in list(_open):
        client.close(code)


class Client:
    """One socket: a thread reads it, and whoever has something to tell sends it."""

    def __init__(self, inner: socket.socket, fanout: FanOut, redis: Redis) -> None:
        inner.settimeout(PING_SECONDS)
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._fanout = fanout
        self._redis = redis
        self._subscriber = Subscriber()
        self._outlet = Outlet(inner, self._subscriber.take, fanout.count_sent)
        self._subscriber.on_waiting = self._outlet.flush
        self._socket = WebSocket(
            inner,
            self._outlet,
            self._subscriber.say,
            max_bytes=MAX_MESSAGE_BYTES,
        )

    def accept(self, key: str, *, is_full: bool) -> None:
        """Answer the handshake, and count the client in unless there is no room for it."""
        self._subscriber.say(handshake_answer(key))
        if is_full:
            self._socket.close(TRY_AGAIN_LATER, "too many clients")
        else:
            _open.add(self)
            self._fanout.add(self._subscriber)

    def serve(self) -> None:
        """Answer messages until the socket closes."""
        try:
            for message in self._socket.messages():
                self._take(message)
        except Flooded:
            self._socket.close(POLICY_VIOLATION, "too many messages")
        finally:
            self._fanout.remove(self._subscriber)
            self._subscriber.close()
            _open.discard(self)
            self._socket.linger()
            self._outlet.release()

    def close(self, code: int) -> None:
        """Close it from outside."""
        self._socket.close(code)

    def _take(self, message: str | bytes) -> None:
        try:
            self._obey(_parse(message))
        except BadMessage as error:
            self._subscriber.say(_encode(event="error", message=str(error)))
        except RedisError as error:
            logger.warning("A client could not subscribe: %s", error)
            self._fanout.mute(self._subscriber)
            sentence = "Redis is away; subscribe again in a few seconds."
            self._subscriber.say(_encode(event="error", message=sentence))

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["action"]:
            case "ping":
                self._subscriber.say(_encode(event="pong"))
            case "unsubscribe":
                self._fanout.mute(self._subscriber)
            case _:
                self._subscribe(message)

    def _subscribe(self, message: Mapping[str, Any]) -> None:
        """Live events are collected first, the past is read after: no gap, and no repeat."""
        wanted = Filter(_names(message, "agentIds"), _names(message, "events", NAMES))
        after = message.get("lastEventId")
        if after is not None and not isinstance(after, str):
            raise BadMessage(f"lastEventId is {after!r}: it must be a text.")
        if not self._fanout.wait_until_reading(timeout=5):
            raise BadMessage("Redis is away; subscribe again in a few seconds.")
        self._fanout.listen(self._subscriber, wanted)
        if after is None:
            newest = newest_id(self._redis)
            self._subscriber.begin(_subscribed(newest), [], newest)
            return
        missed = replay(self._redis, after)
        if missed is not None:
            self._subscriber.begin(_subscribed(after), missed.events, missed.last_id)
            return
        newest = newest_id(self._redis)
        self._subscriber.begin(_subscribed(newest), [], newest)
        self._subscriber.say(RESYNC_FRAME)


def _parse(message: str | bytes) -> dict[str, Any]:
    if isinstance(message, bytes):
        raise BadMessage("Messages are JSON text, not binary.")
    try:
        parsed = json.loads(message)
    except (ValueError, RecursionError):
        raise BadMessage("The message is not JSON.") from None
    if not isinstance(parsed, dict):
        raise BadMessage('The message must be an object such as {"action":"subscribe"}.')
    action = parsed.get("action")
    if not isinstance(action, str) or action not in _FIELDS:
        raise BadMessage(f"action is {action!r}: it must be one of {', '.join(_FIELDS)}.")
    if unknown := sorted(set(parsed) - _FIELDS[action]):
        raise BadMessage(f"{unknown[0]!r} is not a field of {action}.")
    return parsed


def _names(
    message: Mapping[str, Any], field: str, allowed: tuple[str, ...] | None = None
) -> frozenset[str] | None:
    names = message.get(field)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadMessage(f"{field} must be a list of texts.")
    if len(names) > MAX_LISTED:
        raise BadMessage(f"{field} has {len(names)} entries: at most {MAX_LISTED} are allowed.")
    for name in names:
        if allowed is not None and name not in allowed:
            raise BadMessage(f"events has {name!r}: allowed are {', '.join(allowed)}.")
    return frozenset(names)


def _subscribed(last_id: str) -> bytes:
    return _encode(event="subscribed", lastEventId=last_id)


def _encode(**message: Any) -> bytes:
    return text_frame(json.dumps(message, separators=(",", ":")))
