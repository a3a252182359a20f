"""What results and log lines may hold."""

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonhub.agents import NonRetryableError, ResultNotSerialisable
from neonhub.agents.serialisable import require_serialisable, storable, storable_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=10,
)


def itself() -> list[Any]:
    """A list that contains itself."""
    ring: list[Any] = []
    ring.append(ring)
    return ring


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@given(JSON)
def test_json_passes_unchanged(value: Any) -> None:
    require_serialisable(value)
    assert storable(value) == value


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (object(), "result is of type object"),
        ({"a": [1, {2}]}, r"result\.a\[1\] is of type set"),
        ({"when": datetime(2026, 1, 1)}, r"result\.when is of type datetime"),
        ({"sum": Decimal(1)}, r"result\.sum is of type Decimal"),
        (b"bytes", "result is of type bytes"),
        ({"rate": math.nan}, r"result\.rate is nan"),
        ([math.inf], r"result\[0\] is inf"),
        ({(1, 2): 3}, "result has a key of type tuple"),
        (itself(), r"result\[0\] contains itself"),
        (nested(100_000), "is nested too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_json_cannot_hold_is_named(result: Any, reason: str) -> None:
    with pytest.raises(ResultNotSerialisable, match=reason):
        require_serialisable(result)


def test_an_unserialisable_result_is_not_tried_again() -> None:
    assert issubclass(ResultNotSerialisable, NonRetryableError)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (math.nan, "nan"),
        ((1, 2), [1, 2]),
        (Decimal("1.5"), "1.5"),
        ({1: b"x"}, {"1": "b'x'"}),
        ("half \ud800 character", "half ? character"),
    ],
)
def test_a_log_line_keeps_the_rest_as_text(value: Any, kept: Any) -> None:
    assert storable(value) == kept


@pytest.mark.parametrize("value", [itself(), nested(5000)])
def test_a_log_line_survives_what_never_ends(value: Any) -> None:
    json.dumps(storable(value))


def test_text_loses_what_postgresql_refuses() -> None:
    assert storable_text("a\0b") == "a\ufffdb"
