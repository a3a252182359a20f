"""Sends errors with their stack traces to Sentry, where SENTRY_DSN names one."""

import sys
from importlib import import_module
from typing import Any

from neonhub.config import Settings

_SENTRY = "neonhub.observability.sentry"
"""Loaded where it is wanted only: Sentry's client takes 15 MB in every process."""


def start_error_reports(settings: Settings, *, process: str, **options: Any) -> bool:
    """Report every error that is logged or not handled in this process.

    Args:
        process: A tag of each report: web, scheduler, pool, agent.
        options: Anything `sentry_sdk.init` takes, over the choices made here.

    Returns:
        Whether there is somewhere to report to.
    """
    if settings.sentry_dsn is None:
        return False
    import_module(_SENTRY).start(settings, process, options)
    return True


def report_error(error: BaseException, **tags: str) -> None:
    """Report one error; does nothing where reports are off.

    Args:
        tags: What to find it by, such as the session's id.
    """
    if _SENTRY in sys.modules:
        sys.modules[_SENTRY].report(error, tags)


def flush_error_reports() -> None:
    """Wait until what was reported has left; call it before a process ends by `os._exit`."""
    if _SENTRY in sys.modules:
        sys.modules[_SENTRY].flush()
