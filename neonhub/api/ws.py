"""The WebSocket `/ws`: what happens, as it happens."""

import json
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from flask import Flask, Response, request
from flask_sock import Sock
from redis import Redis
from redis.exceptions import RedisError
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import LocalProtocolError

from neonhub.api import frame_socket
from neonhub.api.errors import error_response
from neonhub.events import NAMES, FanOut, Filter, Flooded, Subscriber, newest_id, replay
from neonhub.events.event import RESYNC

PATH = "/ws"
MAX_MESSAGE_BYTES = 64 * 1024
PING_SECONDS = 25
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
MAX_UNREAD = 1000
"""Messages of one client that wait to be answered before it counts as a flood."""

MAX_LISTED = 1000
"""Agents or events one subscription may name."""

_open_sockets: WeakSet[Server] = WeakSet()
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
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_SECONDS,
        "max_message_size": MAX_MESSAGE_BYTES,
    }
    app.extensions["fanout"] = fanout

    @app.before_request
    def refuse_others() -> Response | None:
        if request.path != PATH:
            return None
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return error_response(400, "This address takes WebSocket connections only.")
        if not _is_handshake():
            return error_response(
                400, "The WebSocket handshake is not that of RFC 6455, version 13."
            )
        frame_socket.prepare(request.environ)
        return None

    @Sock(app).route(PATH)  # type: ignore[untyped-decorator]
    def live(socket: Server) -> None:
        if len(fanout) >= max_clients:
            socket.close(TRY_AGAIN_LATER, "too many clients")
            return
        Client(socket, fanout, redis).serve()


def _is_handshake() -> bool:
    key = request.headers.get("Sec-WebSocket-Key", "")
    return (
        request.method == "GET"
        and request.headers.get("Sec-WebSocket-Version") == "13"
        and re.fullmatch(r"[A-Za-z0-9+/]{22}==", key) is not None
    )


def close_all(code: int) -> None:
    """Close every open socket of this process, such as with 1001 when it restarts."""
    for socket in list(_open_sockets):
        # One that is closing already, for a reason of its own, can't be closed again.
        with suppress(ConnectionClosed, LocalProtocolError, OSError):
            socket.close(code)


class Client:
    """One socket: this thread reads it, a second one writes what waits for it."""

    def __init__(self, socket: Server, fanout: FanOut, redis: Redis) -> None:
        self._socket = socket
        self._fanout = fanout
        self._redis = redis
        self._subscriber = Subscriber()

    def serve(self) -> None:
        """Answer messages until the socket closes."""
        _open_sockets.add(self._socket)
        self._fanout.add(self._subscriber)
        writer = threading.Thread(target=self._write, name="socket", daemon=True)
        writer.start()
        try:
            while len(self._socket.input_buffer) <= MAX_UNREAD:
                self._take(self._socket.receive())
            self._refuse_flood()
        except Flooded:
            self._refuse_flood()
        except (ConnectionClosed, OSError):
            return
        finally:
            self._fanout.remove(self._subscriber)
            self._subscriber.close()
            _open_sockets.discard(self._socket)

    def _refuse_flood(self) -> None:
        # One that takes nothing would not take the reason either.
        if self._socket.sock.is_sending:
            self._socket.sock.shut()
        else:
            self._socket.close(POLICY_VIOLATION, "too many messages")

    def _write(self) -> None:
        try:
            for text in self._subscriber:
                self._socket.send(text)
                self._fanout.sent += 1
        except (ConnectionClosed, OSError):
            return

    def _take(self, message: str | bytes) -> None:
        try:
            self._obey(_parse(message))
        except BadMessage as error:
            self._subscriber.say(_encode(event="error", message=str(error)))
        except RedisError:
            self._subscriber.mute()
            sentence = "Redis is away; subscribe again in a few seconds."
            self._subscriber.say(_encode(event="error", message=sentence))

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["action"]:
            case "ping":
                self._subscriber.say(_encode(event="pong"))
            case "unsubscribe":
                self._subscriber.mute()
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
        self._subscriber.listen(wanted)
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
        self._subscriber.say(RESYNC)


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


def _subscribed(last_id: str) -> str:
    return _encode(event="subscribed", lastEventId=last_id)


def _encode(**message: Any) -> str:
    return json.dumps(message, separators=(",", ":"))
