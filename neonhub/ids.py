"""Identifiers that sort by the time they were made."""

import secrets
import time


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal characters that sort by creation time.

    The layout is that of a UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix
    milliseconds, then version, variant and 74 random bits.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76
    value |= (random >> 62) << 64 | 0b10 << 62 | (random & (1 << 62) - 1)
    return f"{value:032x}"
