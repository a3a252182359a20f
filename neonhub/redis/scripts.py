"""Loads the Lua scripts that lie beside this package in `scripts/`."""

from functools import cache
from importlib.resources import files

from redis import Redis
from redis.commands.core import Script


def script(redis: Redis, name: str) -> Script:
    """Return a script ready to call; the server learns it with the first call.

    Args:
        name: The file's name without `.lua`.
    """
    return redis.register_script(_text(name))


@cache
def _text(name: str) -> str:
    return files("neonhub.redis").joinpath("scripts", f"{name}.lua").read_text("utf-8")
