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
    milliseconds = f"{time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF:012x}"
    random = secrets.token_hex(10 * count)
    parts = (random[n : n + 20] for n in range(0, 20 * count, 20))
    return sorted(f"{milliseconds}7{part[:3]}{_VARIANT[part[3]]}{part[4:19]}" for part in parts)


_VARIANT = {digit: "89ab"[n % 4] for n, digit in enumerate("0123456789abcdef")}
"""Of four random bits two, after those of the variant."""
