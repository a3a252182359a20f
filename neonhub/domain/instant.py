"""An instant as text."""

from datetime import datetime


def text_of(instant: datetime) -> str:
    """An instant as RFC 3339 has it, with `Z` for UTC."""
    return instant.isoformat().replace("+00:00", "Z")
