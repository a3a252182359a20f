"""What is sent to Sentry; imported only where SENTRY_DSN is set."""

from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from neonhub import __version__
from neonhub.config import Settings
from neonhub.observability.masking import Masker

FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its last reports to leave."""


def start(settings: Settings, process: str, options: dict[str, Any]) -> None:
    """Report every error that is logged or not handled in this process.

    Args:
        process: A tag of each report.
        options: Anything `sentry_sdk.init` takes, over the choices made here.
    """
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


def report(error: BaseException, tags: dict[str, str]) -> None:
    """Send one error with what to find it by."""
    with sentry_sdk.new_scope() as scope:
        scope.set_tags(dict(tags))
        scope.capture_exception(error)


def flush() -> None:
    """Wait until what was reported has left."""
    sentry_sdk.flush(timeout=FLUSH_SECONDS)


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
