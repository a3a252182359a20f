"""Sockets that break the rules, say too much or take too little; the rest must not notice."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websockets
from redis import Redis

from neonhub.clock import utcnow
from neonhub.events import Event, publish
from neonhub.redis.connect import connect
from tests.e2e.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    RawSocket,
    frame,
)
from tests.e2e.running import RunningSystem
from tests.examples import IS_DEEP
from tests.waiting import wait_until

PING_MESSAGE = b'{"action":"ping"}'
SOCKETS, EVENTS = (200, 6000) if IS_DEEP else (200, 300)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    with RunningSystem(tmp_path_factory.mktemp("sockets")) as running:
        yield running


@pytest.fixture
def port(system: RunningSystem) -> int:
    return int(system.env["PORT"])


@pytest.fixture
def redis(system: RunningSystem) -> Iterator[Redis]:
    with connect(f"unix://{system.folder}/.neonhub/redis/redis.sock") as connection:
        yield connection


@pytest.fixture(autouse=True)
def still_serves(system: RunningSystem) -> Iterator[None]:
    """Whatever a client did: the next one is served."""
    yield
    with RawSocket(int(system.env["PORT"])) as next_one:
        next_one.say(action="ping")
        assert next_one.hear() == {"event": "pong"}


def tell(redis: Redis, *numbers: int, size: int = 0) -> list[str]:
    events = [
        Event("agent:progress", "a", "s", None, utcnow(), {"n": n, "pad": "x" * size})
        for n in numbers
    ]
    return publish(redis, events)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(PING_MESSAGE, is_masked=False), 1002),
        (frame(b"", 0x3), 1002),
        (frame(b"", 0xB), 1002),
        (frame(PING_MESSAGE, head=FIN | 0x40), 1002),
        (frame(PING_MESSAGE, head=FIN | 0x20), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"x", PING, head=0), 1002),
        (frame(b"x", CONTINUATION), 1002),
        (frame(b"{", head=0) + frame(b"}", TEXT), 1002),
        (frame(b"\xff\xfe"), 1007),
        (frame(b'"\xed\xa0\x80"'), 1007),
        (frame(b"x", CLOSE), 1002),
        (frame(b"\x03\xe8", CLOSE), 1000),
        (frame(b"\x03\xe9bye", CLOSE), 1001),
        (frame(b"x" * 70_000), 1009),
        (frame(b"x" * 40_000, head=0) + frame(b"x" * 40_000, CONTINUATION), 1009),
        (frame(b"x" * 70_000, BINARY), 1009),
        (frame("é".encode() * 35_000), 1009),
    ],
    ids=[
        *("unmasked", "unknown opcode", "unknown control", "rsv1", "rsv2", "long control"),
        *("fragmented control", "continuation of nothing", "text amid fragments", "not utf-8"),
        *("surrogate", "close of one byte", "close", "close with a reason", "oversize"),
        *("oversize in fragments", "oversize binary", "oversize in bytes only"),
    ],
)
def test_what_breaks_the_protocol_closes_with_its_code(port: int, sent: bytes, code: int) -> None:
    with RawSocket(port) as client:
        client.send(sent)
        assert client.close_code() == code


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (frame(b'{"acti', head=0) + frame(b'on":"ping"}', CONTINUATION), "pong"),
        (frame(b"", head=0) + frame(PING_MESSAGE, CONTINUATION), "pong"),
        (frame(b'{"a', head=0) + frame(b"", PING) + frame(b"}", CONTINUATION), "error"),
        (frame(b""), "error"),
        (frame(b" " * 60_000 + PING_MESSAGE), "pong"),
        (frame(b"\x00"), "error"),
        (frame(b'{"action":"ping","action":"subscribe","agentIds":{}}'), "error"),
        (frame(json.dumps({"action": "subscribe", "agentIds": ["x"] * 1001}).encode()), "error"),
    ],
    ids=[
        *("fragments", "an empty fragment", "a ping amid fragments", "empty", "blanks"),
        *("nul", "twice the same field", "too many agents"),
    ],
)
def test_what_keeps_the_protocol_is_answered(port: int, sent: bytes, said: str) -> None:
    with RawSocket(port) as client:
        client.send(sent)
        opcode, payload = client.read()
        while opcode == PONG:
            opcode, payload = client.read()
        assert json.loads(payload)["event"] == said


def test_a_message_may_come_byte_by_byte(port: int) -> None:
    with RawSocket(port) as client:
        for byte in frame(PING_MESSAGE):
            client.send(bytes([byte]))
        assert client.hear() == {"event": "pong"}


def test_a_ping_comes_back_with_what_it_carried(port: int) -> None:
    with RawSocket(port) as client:
        client.send(frame(b"carried", PING))
        assert client.read() == (PONG, b"carried")


@pytest.mark.parametrize(
    "headers",
    ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://localhost.evil\r\n"],
)
def test_a_foreign_page_is_refused_before_the_handshake(port: int, headers: str) -> None:
    with RawSocket(port, headers=headers) as client:
        assert client.answer.startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("GET", {}, 400),
        ("GET", {"Upgrade": "h2c", "Connection": "Upgrade"}, 400),
        ("POST", {}, 400),
    ],
)
def test_what_is_no_handshake_is_told_so(
    system: RunningSystem, method: str, headers: dict[str, str], code: int
) -> None:
    answer = requests.request(method, system.url + "/ws", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (code, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Version": "13"},
        {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short", "Sec-WebSocket-Version": "13"},
    ],
    ids=["no key", "an old version", "a bad key"],
)
def test_a_broken_handshake_ends_without_harm(port: int, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(f"{upgrade}{lines}\r\n".encode())
        head = raw.makefile("rb").readline()
    assert head.startswith(b"HTTP/1.1 400")


def test_a_flood_that_takes_no_answers_is_closed(port: int) -> None:
    flood = frame(PING_MESSAGE) * 500
    with RawSocket(port, buffer=4096) as client:
        with pytest.raises(OSError):
            for _ in range(4000):
                client.send(flood)


def test_a_flood_from_one_hinders_no_other(port: int, redis: Redis) -> None:
    with RawSocket(port) as quiet, RawSocket(port) as loud:
        quiet.say(action="subscribe")
        quiet.hear()
        is_over = threading.Event()

        def shout() -> None:
            try:
                while not is_over.is_set():
                    loud.send(frame(b"nonsense") * 100)
            except OSError:
                return

        thread = threading.Thread(target=shout)
        thread.start()
        tell(redis, *range(50))
        heard = [quiet.hear()["data"]["n"] for _ in range(50)]
        is_over.set()
        loud.raw.close()
        thread.join()
        assert heard == list(range(50))


def test_a_slow_reader_gets_whole_frames_and_then_a_resync(port: int, redis: Redis) -> None:
    with RawSocket(port, buffer=4096) as slow, RawSocket(port) as quick:
        for client in (slow, quick):
            client.say(action="subscribe")
            client.hear()
        for start in range(0, 3000, 100):
            tell(redis, *range(start, start + 100), size=5000)
            # So that all of them have come to the server when the slow one begins to read.
            assert {quick.hear()["event"] for _ in range(100)} == {"agent:progress"}
        (last,) = tell(redis, 3000)
        heard = [slow.hear()]
        while heard[-1].get("id") != last:
            heard.append(slow.hear())
    resyncs = [n for n, message in enumerate(heard) if message["event"] == "resync_required"]
    assert resyncs, "3,000 events waited"
    parts = [heard[: resyncs[0]], heard[resyncs[-1] + 1 :]]
    for part in parts:
        numbers = [message["data"]["n"] for message in part]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert parts[0][0]["data"]["n"] == 0


def test_the_newest_subscription_of_a_socket_counts(port: int, redis: Redis) -> None:
    with RawSocket(port) as client:
        client.say(action="subscribe")
        first = client.hear()["lastEventId"]
        client.say(action="subscribe", agentIds=["another"])
        client.hear()
        tell(redis, 1)
        client.say(action="subscribe", lastEventId=first)
        assert client.hear()["event"] == "subscribed"
        assert client.hear()["data"]["n"] == 1
        tell(redis, 2)
        assert client.hear()["data"]["n"] == 2


def test_clients_that_vanish_leave_nothing_behind(system: RunningSystem, port: int) -> None:
    def connected() -> int:
        text = system.get("/metrics").text
        (line,) = [line for line in text.splitlines() if line.startswith("neonhub_websocket_cl")]
        return int(float(line.split()[-1]))

    wait_until(lambda: connected() == 0, seconds=20)
    clients = [RawSocket(port) for _ in range(50)]
    for client in clients:
        client.say(action="subscribe")
        client.hear()
    assert connected() == 50
    for client in clients:
        client.__exit__()
    wait_until(lambda: connected() == 0, seconds=20)


def test_two_hundred_sockets_hear_everything_once_and_in_order(
    system: RunningSystem, redis: Redis
) -> None:
    url = system.url.replace("http", "ws") + "/ws"

    async def listen(everyone_listens: asyncio.Barrier) -> list[int]:
        async with websockets.connect(url, max_queue=None) as socket:
            await socket.send('{"action":"subscribe"}')
            await socket.recv()
            await everyone_listens.wait()
            heard: list[Any] = []
            while len(heard) < EVENTS:
                heard.append(json.loads(await asyncio.wait_for(socket.recv(), 60)))
            return [message["data"]["n"] for message in heard]

    async def run() -> list[list[int]]:
        barrier = asyncio.Barrier(SOCKETS + 1)
        listeners = [asyncio.create_task(listen(barrier)) for _ in range(SOCKETS)]
        await barrier.wait()
        for n in range(EVENTS):
            await asyncio.to_thread(tell, redis, n)
            await asyncio.sleep(0.02)
        return await asyncio.gather(*listeners)

    for heard in asyncio.run(run()):
        assert heard == list(range(EVENTS))
