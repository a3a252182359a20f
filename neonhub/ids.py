"""Identifiers that sort by the time they were made."""

import secrets
import time


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal characters that sort by creation time.

    The layout is that of a UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix
    milliseconds, then version, variant and 74 random bits.
    """
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """So many of one millisecond, sorted."""
    prefix = (time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | 0b10 << 62
    random = secrets.token_bytes(10 * count)
    parts = (int.from_bytes(random[n : n + 10]) for n in range(0, 10 * count, 10))
    return sorted(f"{prefix | (part & _HIGH) << 2 | part & _LOW:032x}" for part in parts)


_LOW = (1 << 62) - 1
_HIGH = ((1 << 12) - 1) << 62
"""Of 74 random bits: those after the variant, and those between it and the version."""
