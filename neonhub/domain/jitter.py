"""Spreads schedules that would fire at the same instant."""

import hashlib
from datetime import timedelta


def jitter_for(schedule_id: str, jitter_seconds: int) -> timedelta:
    """How much later every tick of a schedule fires: stable, 0 to `jitter_seconds`."""
    if not jitter_seconds:
        return timedelta()
    digest = hashlib.sha256(schedule_id.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return timedelta(milliseconds=round(share * jitter_seconds * 1000))
