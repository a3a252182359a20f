"""The fan-out leaves turns to whoever else waits in its process."""

import subprocess
import sys

IN_BETWEEN = """
from gevent import monkey
monkey.patch_all()
import socket, threading
from neonhub.events.event import PublishedEvent
from neonhub.events.fanout import SLICE, FanOut
from neonhub.events.subscriber import Filter, Subscriber

ours, theirs = socket.socketpair()
told, told_when_answered = [], []
fanout = FanOut("redis://localhost")

def answer():
    theirs.recv(1)
    told_when_answered.append(len(told))

def hear():
    if not told:
        ours.send(b"?")
    told.append(1)

for _ in range(20 * SLICE):
    subscriber = Subscriber()
    fanout.listen(subscriber, Filter())
    subscriber.begin(b"", [], "0-0")
    subscriber.on_waiting = hear
thread = threading.Thread(target=answer)
thread.start()
fanout._dispatch(PublishedEvent("1-0", "agent:progress", None, "{}", b"", (1, 0)))
thread.join()
assert told_when_answered[0] < 3 * SLICE, (told_when_answered, len(told))
"""


def test_a_request_that_comes_while_an_event_is_sent_to_many_is_not_kept_until_the_end() -> None:
    subprocess.run([sys.executable, "-c", IN_BETWEEN], check=True)
