"""Opens connections to Redis that notice a dead server instead of waiting for ever."""

from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

CONNECT_TIMEOUT_SECONDS = 2.0
REPLY_TIMEOUT_SECONDS = 5.0
HEALTH_CHECK_SECONDS = 30
MAX_CONNECTIONS = 50
RETRIES = 1


def connect(url: str, **options: Any) -> redis.Redis:
    """Open a pool for commands that answer at once; connects with the first command.

    Who finds all its connections taken, such as many clients that subscribe at once, waits for one.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        options: Anything `redis.Redis.from_url` takes, over the defaults here.
    """
    defaults: dict[str, Any] = {"socket_timeout": REPLY_TIMEOUT_SECONDS}
    pool = redis.BlockingConnectionPool.from_url(
        url,
        **(_common(url) | defaults | options),
        max_connections=MAX_CONNECTIONS,
        timeout=REPLY_TIMEOUT_SECONDS,
    )
    return redis.Redis.from_pool(pool)


def connect_blocking(url: str, **options: Any) -> redis.Redis:
    """Open a pool for reads that wait, such as pub/sub: a silent server is no error there.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        options: Anything `redis.Redis.from_url` takes, over the defaults here.
    """
    defaults: dict[str, Any] = {"socket_timeout": None}
    return redis.Redis.from_url(url, **(_common(url) | defaults | options))


def _common(url: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), RETRIES),
        "decode_responses": False,
    }
    return common if url.startswith("unix:") else common | {"socket_keepalive": True}
