"""Frames of RFC 6455 as a server sends them: not masked, so all clients get the same bytes."""

import struct

_FIN = 0x80
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


def text_frame(text: str) -> bytes:
    """One whole message."""
    return _frame(_TEXT, text.encode())


def ping_frame() -> bytes:
    """Asks whether somebody is there."""
    return _frame(_PING, b"")


def pong_frame(carried: bytes) -> bytes:
    """Answers a ping with what it carried, 125 bytes at most."""
    return _frame(_PONG, carried)


def close_frame(code: int, reason: str) -> bytes:
    """The last frame, with a reason of at most 123 bytes."""
    return _frame(_CLOSE, struct.pack("!H", code) + reason.encode())


def _frame(opcode: int, payload: bytes) -> bytes:
    length, head = len(payload), _FIN | opcode
    if length < 126:
        return struct.pack("!BB", head, length) + payload
    if length < 65_536:
        return struct.pack("!BBH", head, 126, length) + payload
    return struct.pack("!BBQ", head, 127, length) + payload
