"""One client's queue: order, filters, bounds, and the seam between past and live."""

import json

from neonhub.events import Filter, Subscriber
from neonhub.events.event import RESYNC, PublishedEvent, parse_published
from neonhub.events.frames import text_frame

SUBSCRIBED = text_frame("subscribed")


def event(n: int, agent: str | None = "a", name: str = "agent:progress") -> PublishedEvent:
    return parse_published(json.dumps({"id": f"{n}-0", "event": name, "agentId": agent}))


def sent(subscriber: Subscriber) -> list[str]:
    return [frame[2:].decode() for frame in iter(subscriber.take, None)]


def listening(wanted: Filter | None = None, max_waiting: int = 100) -> Subscriber:
    subscriber = Subscriber(max_waiting)
    subscriber.listen(wanted or Filter())
    subscriber.begin(SUBSCRIBED, [], "0-0")
    return subscriber


def test_nothing_is_heard_before_subscribing() -> None:
    subscriber = Subscriber()
    subscriber.offer(event(1))
    assert sent(subscriber) == []


def test_events_come_in_order() -> None:
    subscriber = listening()
    for n in (1, 2, 3):
        subscriber.offer(event(n))
    assert sent(subscriber) == ["subscribed", *(event(n).text for n in (1, 2, 3))]


def test_live_events_after_the_past_come_once() -> None:
    subscriber = Subscriber()
    subscriber.listen(Filter())
    for n in (3, 4, 5):
        subscriber.offer(event(n))
    subscriber.begin(SUBSCRIBED, [event(n) for n in (2, 3, 4)], "4-0")
    subscriber.offer(event(4))
    subscriber.offer(event(6))
    assert sent(subscriber) == ["subscribed", *(event(n).text for n in (2, 3, 4, 5, 6))]


def test_live_events_wait_for_the_past() -> None:
    subscriber = Subscriber()
    subscriber.listen(Filter())
    subscriber.offer(event(2))
    assert sent(subscriber) == []
    subscriber.listen(Filter())
    subscriber.offer(event(2))
    subscriber.begin(SUBSCRIBED, [event(1), event(2)], "2-0")
    assert sent(subscriber) == ["subscribed", event(1).text, event(2).text]


def test_a_gap_told_before_the_past_is_there_is_told_after_it() -> None:
    subscriber = Subscriber()
    subscriber.listen(Filter())
    subscriber.resync()
    subscriber.begin(SUBSCRIBED, [event(1)], "1-0")
    assert sent(subscriber) == ["subscribed", event(1).text, RESYNC]


def test_filters_hold_for_the_past_and_for_live_events() -> None:
    wanted = Filter(frozenset({"a"}), frozenset({"agent:started", "scheduler:status"}))
    subscriber = Subscriber()
    subscriber.listen(wanted)
    past = [event(1, "a", "agent:started"), event(2, "b", "agent:started")]
    subscriber.begin(SUBSCRIBED, past, "2-0")
    for live in (event(3, "a"), event(4, None, "scheduler:status"), event(5, "b")):
        subscriber.offer(live)
    assert sent(subscriber)[1:] == [past[0].text, event(4, None, "scheduler:status").text]


def test_a_client_too_slow_is_told_to_resync_and_goes_on_live() -> None:
    subscriber = listening(max_waiting=10)
    for n in range(1, 500):
        subscriber.offer(event(n))
    texts = sent(subscriber)
    assert texts[0] == RESYNC
    assert texts[-1] == event(499).text
    assert len(texts) <= 12


def test_a_long_past_leaves_room_for_live_events() -> None:
    subscriber = Subscriber(max_waiting=10)
    subscriber.listen(Filter())
    subscriber.begin(SUBSCRIBED, [event(n) for n in range(1, 101)], "100-0")
    subscriber.offer(event(101))
    assert len(sent(subscriber)) == 102


def test_unsubscribing_keeps_what_was_queued_and_adds_nothing() -> None:
    subscriber = listening()
    subscriber.offer(event(1))
    subscriber.mute()
    subscriber.offer(event(2))
    assert sent(subscriber) == ["subscribed", event(1).text]


def test_nothing_is_left_to_take_after_the_end() -> None:
    subscriber = listening()
    subscriber.close()
    subscriber.offer(event(1))
    assert sent(subscriber) == []


def test_whoever_sends_is_called_for_each_event() -> None:
    subscriber, frames = listening(), []
    sent(subscriber)
    subscriber.on_waiting = lambda: frames.append(subscriber.take())
    subscriber.offer(event(1))
    subscriber.offer(event(2))
    assert frames == [event(1).frame, event(2).frame]


def test_after_a_resync_ids_may_begin_anew() -> None:
    subscriber = Subscriber()
    subscriber.listen(Filter())
    subscriber.begin(SUBSCRIBED, [], "9-0")
    subscriber.resync()
    subscriber.offer(event(3))
    assert sent(subscriber)[-2:] == [RESYNC, event(3).text]
