"""Keeps secrets out of what leaves a process as text."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

MASK = "****"
MIN_SECRET_LENGTH = 4
"""A shorter value would mask half of every line."""

_SECRET_FIELDS = ("password", "secret", "token", "api_key", "apikey", "authorization", "dsn")
_PLAIN = (bool, int, float, date, type(None))


class Masker:
    """Replaces known secrets, and whatever stands in a field that is named like one."""

    def __init__(self, secrets: Collection[str]) -> None:
        # Longest first: one secret may be the beginning of another.
        long_enough = (secret for secret in secrets if len(secret) >= MIN_SECRET_LENGTH)
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, value: Any, field: str = "") -> Any:
        """Return nested data with every secret replaced; objects of other kinds become text.

        Args:
            field: The name the value stands under.
        """
        if any(word in field.lower() for word in _SECRET_FIELDS):
            return MASK
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, Mapping):
            return {key: self.data(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return self.text(str(value))
