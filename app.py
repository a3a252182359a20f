"""NeonHub: `create_app()` for a web server; run as a program, the whole system on one machine."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from neonhub.config import Settings, load_settings
from neonhub.startup import run_process
from neonhub.system.part import PartRefused
from neonhub.system.system import System

if TYPE_CHECKING:
    from flask import Flask


def create_app(settings: Settings | None = None) -> "Flask":
    """Build the web application; nothing connects before the first request.

    Args:
        settings: Read from the environment if not given.

    Raises:
        ConfigError: A setting is wrong, or REDIS_URL is unset.
    """
    settings = load_settings() if settings is None else settings
    # Imported only now: run as a program this process serves nothing, and is 14 MB smaller.
    return cast("Flask", import_module("neonhub.api.wiring").wired_app(settings))


def run_system(settings: Settings) -> None:
    """Run everything until SIGTERM or Ctrl-C."""
    try:
        System(settings, root=Path(__file__).resolve().parent).run()
    except PartRefused as error:
        sys.exit(error.message)


if __name__ == "__main__":
    run_process("app", run_system)
