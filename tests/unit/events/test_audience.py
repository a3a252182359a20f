"""Who is offered an event."""

import json

from neonhub.events import Filter, Subscriber
from neonhub.events.audience import Audience
from neonhub.events.event import PublishedEvent, parse_published


def event(agent: str | None) -> PublishedEvent:
    return parse_published(json.dumps({"id": "1-0", "event": "agent:started", "agentId": agent}))


def test_an_event_goes_to_those_who_named_its_agent_or_none() -> None:
    audience, everything, of_a, of_b = Audience(), Subscriber(), Subscriber(), Subscriber()
    audience.put(everything, Filter())
    audience.put(of_a, Filter(frozenset({"a", "c"})))
    audience.put(of_b, Filter(frozenset({"b"})))
    assert set(audience.of(event("a"))) == {everything, of_a}
    assert set(audience.of(event("d"))) == {everything}


def test_an_event_of_no_agent_goes_to_all_once() -> None:
    audience, everything, of_two = Audience(), Subscriber(), Subscriber()
    audience.put(everything, Filter())
    audience.put(of_two, Filter(frozenset({"a", "b"})))
    assert sorted(map(id, audience.of(event(None)))) == sorted(map(id, (everything, of_two)))


def test_what_was_wanted_before_counts_no_more() -> None:
    audience, subscriber = Audience(), Subscriber()
    audience.put(subscriber, Filter(frozenset({"a"})))
    audience.put(subscriber, Filter(frozenset({"b"})))
    assert (audience.of(event("a")), audience.of(event("b"))) == ([], [subscriber])
    audience.remove(subscriber)
    audience.remove(subscriber)
    assert audience.of(event("b")) == audience.of(event(None)) == []
