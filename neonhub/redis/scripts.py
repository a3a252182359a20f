"""Loads the Lua scripts that lie beside this package in `scripts/`."""

import hashlib
from functools import cache
from importlib.resources import files

from redis import Redis
from redis.commands.core import Script


def script(redis: Redis, name: str) -> Script:
    """Return a script ready to call; the server learns it with the first call.

    Args:
        name: The file's name without `.lua`.
    """
    return redis.register_script(script_text(name))


@cache
def script_text(name: str) -> str:
    """A script as it is sent to a server that does not know it."""
    return files("neonhub.redis").joinpath("scripts", f"{name}.lua").read_text("utf-8")


@cache
def script_hash(name: str) -> str:
    """The name a server gives a script."""
    return hashlib.sha1(script_text(name).encode(), usedforsecurity=False).hexdigest()
