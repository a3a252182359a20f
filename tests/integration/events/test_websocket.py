"""Real sockets against a real server: messages, filters, replay, limits, close codes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from simple_websocket import Client, ConnectionClosed
from werkzeug.serving import make_server

from neonhub.api.guard import guard
from neonhub.api.ws import close_all, register_ws
from neonhub.config import Settings, load_settings
from neonhub.events import Event, FanOut, publish
from neonhub.redis.connect import connect_blocking
from neonhub.redis.embedded import EmbeddedServer
from tests.e2e.raw_socket import RawSocket
from tests.factories import NOW


@contextmanager
def serving(redis_url: str, redis: Redis, max_clients: int = 100) -> Iterator[str]:
    settings: Settings = load_settings({"REDIS_URL": redis_url})
    fanout = FanOut(redis_url)
    app = Flask("test")
    guard(app, settings)
    register_ws(app, fanout, redis, max_clients=max_clients)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"ws://127.0.0.1:{server.server_port}/ws"
    close_all(1001)
    server.shutdown()
    thread.join()
    server.server_close()
    fanout.stop()


@pytest.fixture
def url(redis_url: str, redis_connection: Redis) -> Iterator[str]:
    with serving(redis_url, redis_connection) as url:
        yield url


class Watcher:
    """A client that speaks JSON."""

    def __init__(self, url: str, **options: Any) -> None:
        self.socket = Client.connect(url, **options)

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.socket.close()
        except ConnectionClosed:
            return

    def say(self, **message: Any) -> Any:
        self.socket.send(json.dumps(message))
        return self.hear()

    def hear(self) -> Any:
        text = self.socket.receive(timeout=10)
        assert text is not None, "nothing came"
        return json.loads(text)

    def close_code(self) -> int:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                assert self.socket.receive(timeout=10) is not None
        return int(closed.value.reason)


def tell(redis: Redis, n: int, agent: str = "a", name: str = "agent:progress") -> str:
    return publish(redis, [Event(name, agent, "s", None, NOW, {"n": n})])[0]


def wait(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        threading.Event().wait(0.02)


def test_a_subscriber_sees_events_in_order(url: str, redis_connection: Redis) -> None:
    with Watcher(url) as watcher:
        assert watcher.say(action="subscribe") == {"event": "subscribed", "lastEventId": "0-0"}
        ids = [tell(redis_connection, n) for n in range(20)]
        heard = [watcher.hear() for _ in range(20)]
    assert [event["id"] for event in heard] == ids
    assert [event["data"]["n"] for event in heard] == list(range(20))
    assert set(heard[0]) == {
        *("id", "event", "agentId", "sessionId", "scheduleId", "timestamp", "data")
    }


def test_filters(url: str, redis_connection: Redis) -> None:
    with Watcher(url) as watcher:
        watcher.say(action="subscribe", agentIds=["b"], events=["agent:failed"])
        tell(redis_connection, 1, "a", "agent:failed")
        tell(redis_connection, 2, "b", "agent:progress")
        tell(redis_connection, 3, "b", "agent:failed")
        assert watcher.hear()["data"]["n"] == 3


def test_every_id_resumes_without_gap_or_repeat(url: str, redis_connection: Redis) -> None:
    ids = [tell(redis_connection, n) for n in range(5)]
    for n, last in enumerate(ids):
        with Watcher(url) as watcher:
            assert watcher.say(action="subscribe", lastEventId=last)["lastEventId"] == last
            tell(redis_connection, 100 + n)
            total = 5 - n - 1 + n + 1
            assert len([watcher.hear() for _ in range(total)]) == total


def test_a_resume_that_is_not_possible_is_told(url: str, redis_connection: Redis) -> None:
    tell(redis_connection, 1)
    with Watcher(url) as watcher:
        assert watcher.say(action="subscribe", lastEventId="1-0")["event"] == "subscribed"
        assert watcher.hear() == {"event": "resync_required"}
        tell(redis_connection, 2)
        assert watcher.hear()["data"]["n"] == 2


def test_whoever_watches_while_redis_is_emptied_is_told_to_resync(
    url: str, redis_connection: Redis
) -> None:
    before = Event("agent:started", "a", "s", None, NOW, {"n": 1}, row_id="1")
    with Watcher(url) as watcher:
        watcher.say(action="subscribe")
        publish(redis_connection, [before])
        assert watcher.hear()["data"]["n"] == 1
        redis_connection.flushall()
        publish(redis_connection, [before])  # as the lifeline does, that can't know
        assert watcher.hear() == {"event": "resync_required"}
        assert watcher.hear()["data"]["n"] == 1
        tell(redis_connection, 2)
        assert watcher.hear()["data"]["n"] == 2


def test_ping_and_unsubscribe(url: str, redis_connection: Redis) -> None:
    with Watcher(url) as watcher:
        watcher.say(action="subscribe")
        watcher.socket.send('{"action":"unsubscribe"}')
        assert watcher.say(action="ping") == {"event": "pong"}
        tell(redis_connection, 1)
        assert watcher.say(action="ping") == {"event": "pong"}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("nonsense", "not JSON"),
        ("[]", "object"),
        ("{}", "action is None"),
        ('{"action":"dance"}', "'dance'"),
        ('{"action":["subscribe"]}', "action is"),
        ('{"action":"ping","x":1}', "'x'"),
        ('{"action":"subscribe","agentIds":"a"}', "agentIds must be a list"),
        ('{"action":"subscribe","agentIds":[1]}', "agentIds must be a list"),
        ('{"action":"subscribe","events":["agent:dance"]}', "agent:dance"),
        ('{"action":"subscribe","lastEventId":5}', "lastEventId"),
        ("[" * 30_000, "not JSON"),
        (b"\x00\x01", "binary"),
    ],
)
def test_a_message_that_cannot_be_taken_is_answered_and_the_socket_stays_open(
    url: str, message: str | bytes, words: str
) -> None:
    with Watcher(url) as watcher:
        watcher.socket.send(message)
        answer = watcher.hear()
        assert answer["event"] == "error" and words in answer["message"]
        assert watcher.say(action="ping") == {"event": "pong"}


def test_a_message_over_64_kib_closes_with_1009(url: str) -> None:
    with Watcher(url) as watcher:
        watcher.socket.send('{"action":"' + "x" * 70_000 + '"}')
        assert watcher.close_code() == 1009


def test_a_foreign_origin_is_refused_with_403_before_the_handshake(url: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {
        **upgrade,
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Origin": "http://evil.example",
    }
    answer = requests.get(url.replace("ws://", "http://"), headers=headers, timeout=10)
    assert answer.status_code == 403
    assert "evil.example" in answer.json()["message"]


def test_one_client_too_many_is_closed_with_1013(redis_url: str, redis_connection: Redis) -> None:
    with serving(redis_url, redis_connection, max_clients=1) as url, Watcher(url) as first:
        first.say(action="ping")
        with RawSocket(urlsplit(url).port or 0) as second:
            assert second.close_code() == 1013


def test_a_restart_closes_with_1001(url: str) -> None:
    with Watcher(url) as watcher:
        watcher.say(action="ping")
        close_all(1001)
        assert watcher.close_code() == 1001


def test_a_client_that_answers_no_ping_is_dropped(
    redis_url: str, redis_connection: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neonhub.api.ws.PING_SECONDS", 0.1)
    with serving(redis_url, redis_connection, max_clients=1) as url:
        with RawSocket(urlsplit(url).port or 0) as half_open:
            half_open.say(action="subscribe")
            assert half_open.close_code() == 1008
        wait(lambda: _has_room(url))


def test_a_client_that_left_is_forgotten(redis_url: str, redis_connection: Redis) -> None:
    with serving(redis_url, redis_connection, max_clients=1) as url:
        for _ in range(3):
            wait(lambda: _has_room(url))


def _has_room(url: str) -> bool:
    with Watcher(url) as watcher:
        try:
            watcher.socket.send('{"action":"ping"}')
            return watcher.socket.receive(timeout=5) is not None
        except ConnectionClosed:
            return False


def test_a_restart_of_redis_in_mid_stream_is_survived(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = EmbeddedServer(tmp_path_factory.mktemp("restarted"))
    redis_url = server.start()
    redis = connect_blocking(redis_url)
    with serving(redis_url, redis) as url, Watcher(url) as watcher:
        watcher.say(action="subscribe")
        tell(redis, 1)
        assert watcher.hear()["data"]["n"] == 1
        server.stop()
        server.start()
        wait(lambda: _told(redis, 2))
        assert watcher.hear()["data"]["n"] == 2
    redis.close()
    server.stop()


def _told(redis: Redis, n: int) -> bool:
    try:
        return bool(tell(redis, n))
    except RedisError:
        return False
