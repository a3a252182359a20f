"""Sends every log record of a process, of ours and of every library, to one place in one form."""

import logging
import sys
from typing import TextIO

from neonhub.config import Settings
from neonhub.observability.log_lines import line_formatter

_TALKATIVE = ("alembic", "rq", "rq.worker", "sqlalchemy", "urllib3")


def configure_logging(
    settings: Settings, *, process: str = "neonhub", stream: TextIO | None = None
) -> None:
    """Log as the settings say; calling it again replaces what the last call set up.

    Args:
        process: Named in each line: web, scheduler, pool, …
        stream: Where lines go; stderr by default.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        line_formatter(process, readable=target.isatty(), secrets=settings.secrets)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def hand_to_root(name: str) -> None:
    """Make a library's logger that has handlers of its own use ours."""
    logger = logging.getLogger(name)
    logger.handlers[:] = []
    logger.propagate = True
