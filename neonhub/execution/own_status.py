"""What Linux tells a process of itself, in one read."""

import os
import re
from dataclasses import dataclass

_RESIDENT = re.compile(rb"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_SIGNALS = re.compile(rb"^Sig(?:Ign|Cgt):.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Status:
    """A look at this process; empty where the system does not tell."""

    resident_bytes: int = 0
    signals: tuple[bytes, ...] = ()
    """Which signals it ignores, and which it handles."""


def read_status() -> Status:
    """Look at this process."""
    try:
        descriptor = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return Status()
    try:
        text = os.read(descriptor, 16_384)
    finally:
        os.close(descriptor)
    resident = _RESIDENT.search(text)
    return Status(int(resident[1]) * 1024 if resident else 0, tuple(_SIGNALS.findall(text)))
