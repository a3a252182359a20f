"""Events get growing ids, are published once, and are replayed without a gap or not at all."""

from typing import Any

import pytest
from redis import Redis

from neonhub.events import Event, publish, replay
from neonhub.redis.keys import EVENTS_STREAM
from tests.factories import NOW


def event(n: int, row_id: str | None = None) -> Event:
    data = {"progress": n, "message": "ü \n"}
    return Event("agent:progress", "reporter", f"s{n}", None, NOW, data, row_id)


def numbers(found: Any) -> list[int]:
    return [int(e.text.split('"progress":')[1].split(",")[0]) for e in found.events]


def test_ids_grow(redis_connection: Redis) -> None:
    ids = publish(redis_connection, [event(n) for n in range(50)])
    ids += publish(redis_connection, [event(50)])
    positions = [tuple(map(int, event_id.split("-"))) for event_id in ids]
    assert positions == sorted(set(positions))


def test_a_row_is_published_once(redis_connection: Redis) -> None:
    first = publish(redis_connection, [event(1, "7")])
    assert publish(redis_connection, [event(1, "7"), event(2, "8")])[0] == ""
    assert first[0] and redis_connection.xlen(EVENTS_STREAM) == 2


def test_every_id_replays_what_came_after_it(redis_connection: Redis) -> None:
    ids = publish(redis_connection, [event(n) for n in range(20)])
    for n, event_id in enumerate(ids):
        assert numbers(replay(redis_connection, event_id)) == list(range(n + 1, 20))


def test_the_beginning_replays_everything(redis_connection: Redis) -> None:
    assert numbers(replay(redis_connection, "0-0")) == []
    publish(redis_connection, [event(n) for n in range(3)])
    assert numbers(replay(redis_connection, "0-0")) == [0, 1, 2]


@pytest.mark.parametrize(
    "event_id", ["", "x", "1", "1-", "-1", "1-x", "9" * 50 + "-0", "\uff11-\uff10"]
)
def test_what_is_no_id_cannot_be_replayed(redis_connection: Redis, event_id: str) -> None:
    assert replay(redis_connection, event_id) is None


def test_an_id_from_the_future_or_the_far_past_cannot_be_replayed(redis_connection: Redis) -> None:
    publish(redis_connection, [event(1)])
    assert replay(redis_connection, "99999999999999-0") is None
    assert replay(redis_connection, "5-0") is None


def test_after_redis_was_emptied_nothing_can_be_replayed(redis_connection: Redis) -> None:
    [old] = publish(redis_connection, [event(1)])
    redis_connection.flushall()
    assert replay(redis_connection, old) is None
    publish(redis_connection, [event(2)])
    found = replay(redis_connection, old)
    assert found is None


def test_an_event_that_redis_lost_cannot_be_resumed_from(redis_connection: Redis) -> None:
    kept, lost = publish(redis_connection, [event(1), event(2)])
    redis_connection.xdel(EVENTS_STREAM, lost)
    publish(redis_connection, [event(2), event(3)])
    assert replay(redis_connection, lost) is None
    assert numbers(replay(redis_connection, kept)) == [2, 3]


def test_what_was_trimmed_cannot_be_replayed(redis_connection: Redis) -> None:
    ids = publish(redis_connection, [event(n) for n in range(10)])
    redis_connection.xtrim(EVENTS_STREAM, maxlen=5, approximate=False)
    assert replay(redis_connection, ids[3]) is None
    assert replay(redis_connection, "0-0") is None
    assert numbers(replay(redis_connection, ids[5])) == [6, 7, 8, 9]


def test_the_stream_stays_small(redis_connection: Redis) -> None:
    for _ in range(12):
        publish(redis_connection, [event(n) for n in range(1000)])
    assert 10_000 <= int(redis_connection.xlen(EVENTS_STREAM)) < 11_000
