"""What can be kept: JSON for results, and softer rules for log lines."""

import json
import math
from typing import Any

from neonhub.agents.errors import ResultNotSerialisable, ResultTooLarge

MAX_DEPTH = 50
_PLAIN = (str, int, float, bool, type(None))


def require_serialisable(result: Any) -> None:
    """Check that JSON can hold an agent's result.

    Raises:
        ResultNotSerialisable: It can't; the message names the place.
    """
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        found = _culprit(result, "result", ())
        reason = found or f"result: {error}"
        raise ResultNotSerialisable(
            f"The agent's result must be JSON-serialisable, but {reason}."
        ) from error


def require_size(result: Any, limit: int) -> None:
    """Check that an agent's result is small enough to be kept.

    Args:
        result: What `require_serialisable` has passed.
        limit: Bytes of it as JSON.

    Raises:
        ResultTooLarge: It is larger.
    """
    size = len(
        json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    )
    if size > limit:
        raise ResultTooLarge(
            f"The agent's result has {size} bytes as JSON: at most {limit} are allowed "
            "(NEONHUB_MAX_RESULT_BYTES)."
        )


def shortened(text: str, limit: int) -> str:
    """A text cut to so many bytes of UTF-8, with … in place of its end."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode("utf-8", "ignore") + "…"


def storable(value: Any, depth: int = 0) -> Any:
    """The nearest to a value that JSON and both databases can hold; the rest becomes text."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        return {storable_text(key): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < MAX_DEPTH:
        return [storable(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return storable_text(value)


def storable_text(value: Any) -> str:
    """A value as text; NUL and half characters, which PostgreSQL refuses, are replaced."""
    try:
        text = str(value)
    except Exception:  # somebody's `__str__`, or a structure without end
        text = f"<{type(value).__name__}>"
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _culprit(value: Any, path: str, above: tuple[int, ...]) -> str | None:
    """The first thing JSON cannot hold, in words; None if nothing was found."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{path} is {value}"
    if isinstance(value, _PLAIN):
        return None
    if not isinstance(value, dict | list | tuple):
        return f"{path} is of type {type(value).__name__}"
    if id(value) in above:
        return f"{path} contains itself"
    if len(above) > MAX_DEPTH:
        return f"{path[:80]}… is nested too deeply"
    return _culprit_inside(value, path, (*above, id(value)))


def _culprit_inside(
    value: dict[Any, Any] | list[Any] | tuple[Any, ...], path: str, above: tuple[int, ...]
) -> str | None:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, _PLAIN):
                return f"{path} has a key of type {type(key).__name__}"
        items = [(f"{path}.{key}", item) for key, item in value.items()]
    else:
        items = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return next((found for name, item in items if (found := _culprit(item, name, above))), None)
