"""Connections that notice a server that is gone, and wait for one that is quiet."""

import socket

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from neonhub.redis.connect import REPLY_TIMEOUT_SECONDS, connect, connect_blocking


def test_nothing_connects_before_the_first_command() -> None:
    connect("redis://192.0.2.1:1/0").close()


def test_answers_are_bytes(redis_url: str) -> None:
    with connect(redis_url) as redis:
        redis.set("key", "value")
        assert redis.get("key") == b"value"


def test_a_closed_port_is_reported_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with connect(f"redis://127.0.0.1:{taken.getsockname()[1]}/0") as redis:
            with pytest.raises(RedisConnectionError):
                redis.ping()


@pytest.mark.parametrize("url", ["redis://h:1/0", "unix:///tmp/x.sock"])
def test_only_ordinary_commands_are_bound_in_time(url: str) -> None:
    with connect(url) as ordinary, connect_blocking(url) as waiting:
        assert _timeout(ordinary) == REPLY_TIMEOUT_SECONDS
        assert _timeout(waiting) is None


def test_a_choice_can_be_overruled() -> None:
    with connect("redis://h:1/0", socket_timeout=1) as redis:
        assert _timeout(redis) == 1


def _timeout(redis: Redis) -> object:
    return redis.connection_pool.connection_kwargs["socket_timeout"]
