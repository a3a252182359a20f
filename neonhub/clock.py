"""The one place that reads the wall clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant, timezone-aware in UTC; tests pass their own."""


def utcnow() -> datetime:
    """The present instant, timezone-aware in UTC."""
    return datetime.now(UTC)
