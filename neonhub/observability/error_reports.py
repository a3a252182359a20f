"""Sends errors with their stack traces to Sentry, where SENTRY_DSN names one."""

from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from neonhub import __version__
from neonhub.config import Settings
from neonhub.observability.masking import Masker

FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its last reports to leave."""


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
    choices: dict[str, Any] = {
        "environment": settings.node_env,
        "release": f"neonhub@{__version__}",
        # Inputs, configurations and keys stay here: no bodies and no local variables.
        "include_local_variables": False,
        "max_request_body_size": "never",
        "before_send": _masked(settings),
    }
    sentry_sdk.init(dsn=settings.sentry_dsn, **(choices | options))
    sentry_sdk.set_tag("process", process)
    return True


def _masked(settings: Settings) -> Callable[[Event, Hint], Event]:
    masker = Masker(settings.secrets)

    def mask(event: Event, _: Hint) -> Event:
        for exception in event.get("exception", {}).get("values", []):
            exception["value"] = masker.text(str(exception.get("value", "")))
        for part in ("breadcrumbs", "extra", "logentry", "request"):
            if part in event:
                event[part] = masker.data(event[part])
        return event

    return mask


def report_error(error: BaseException, **tags: str) -> None:
    """Report one error; does nothing where reports are off.

    Args:
        tags: What to find it by, such as the session's id.
    """
    with sentry_sdk.new_scope() as scope:
        scope.set_tags(dict(tags))
        scope.capture_exception(error)


def flush_error_reports() -> None:
    """Wait until what was reported has left; call it before a process ends by `os._exit`."""
    sentry_sdk.flush(timeout=FLUSH_SECONDS)
