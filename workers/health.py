"""`python -m neonhub health ROLE`: whether this host has a living process of the role."""

import http
import http.client
import socket
import sys
from collections.abc import Callable

from redis.exceptions import RedisError
from rq import Worker

from neonhub.config import Settings, load_settings, require_redis_url
from neonhub.errors import ConfigError
from neonhub.redis.connect import connect
from neonhub.redis.embedded import running_url
from neonhub.scheduling.heartbeat import live_schedulers

TIMEOUT_SECONDS = 3


def web_is_alive(settings: Settings) -> bool:
    """Whether /healthz answers 200."""
    host = settings.local_host.strip("[]")
    connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def scheduler_is_alive(settings: Settings) -> bool:
    """Whether a scheduler of this host has a heartbeat that is not over."""
    with connect(_redis_url(settings)) as redis:
        return any(alive.host == socket.gethostname() for alive in live_schedulers(redis))


def workers_are_alive(settings: Settings) -> bool:
    """Whether a worker of this host has a heartbeat that is not over."""
    with connect(_redis_url(settings)) as redis:
        prefix = f"{Worker.redis_worker_namespace_prefix}{socket.gethostname()}-"
        return any(key.startswith(prefix) and redis.exists(key) for key in Worker.all_keys(redis))


def _redis_url(settings: Settings) -> str:
    """REDIS_URL, or where the system that runs on the data folder has its own server.

    Raises:
        ConfigError: There is neither.
    """
    own = None if settings.redis_url else running_url(settings.data_dir / "redis")
    return own or require_redis_url(settings)


CHECKS: dict[str, Callable[[Settings], bool]] = {
    "web": web_is_alive,
    "scheduler": scheduler_is_alive,
    "workers": workers_are_alive,
}


def main() -> None:
    """End with 0 if the role is alive here, else with 1 and the reason."""
    role = sys.argv[1] if len(sys.argv) > 1 else "web"
    if role not in CHECKS:
        sys.exit(f"usage: python -m neonhub health {{{','.join(CHECKS)}}}")
    try:
        alive = CHECKS[role](load_settings())
    except (ConfigError, RedisError) as error:
        sys.exit(str(error))
    if not alive:
        sys.exit(f"No sign of life from {role} on {socket.gethostname()}.")


if __name__ == "__main__":
    main()
