"""Whether something has come through a pipe, asked often.

`Connection.poll` makes a selector at each call, which costs as much as reading a message.
"""

import select
from multiprocessing.connection import Connection

Inbox = select.poll


def inbox_of(connection: Connection) -> "Inbox":
    """What `has_come` asks for one connection, as long as that is open."""
    inbox = select.poll()
    inbox.register(connection.fileno(), select.POLLIN)
    return inbox


def has_come(inbox: "Inbox", timeout_seconds: float = 0) -> bool:
    """Whether a message can be read, or the other end is closed; waits for it at most so long."""
    return bool(inbox.poll(1000 * timeout_seconds))
