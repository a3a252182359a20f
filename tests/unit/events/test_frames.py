"""Frames are what RFC 6455, section 5.2 says."""

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from neonhub.events.frames import close_frame, ping_frame, pong_frame, text_frame


def read(frame: bytes) -> list[object]:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(frame)
    return list(client.events())


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_client_reads_a_message_of_any_length(length: int) -> None:
    [message] = read(text_frame("x" * length))
    assert isinstance(message, TextMessage)
    assert (message.data, message.message_finished) == ("x" * length, True)


def test_a_client_reads_what_controls_the_connection() -> None:
    assert read(ping_frame() + pong_frame(b"x")) == [Ping(payload=b""), Pong(payload=b"x")]
    assert read(close_frame(1013, "full")) == [CloseConnection(code=1013, reason="full")]
