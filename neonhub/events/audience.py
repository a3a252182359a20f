"""Who wants to hear of which agent, so that an event is offered to no others."""

from collections.abc import Iterator

from neonhub.events.event import PublishedEvent
from neonhub.events.subscriber import Filter, Subscriber

_EVERY_AGENT = None


class Audience:
    """Subscribers by the agents they named; not safe for several threads at once."""

    def __init__(self) -> None:
        self._named: dict[Subscriber, frozenset[str | None]] = {}
        self._by_agent: dict[str | None, set[Subscriber]] = {}

    def put(self, subscriber: Subscriber, wanted: Filter) -> None:
        """Take a subscriber in, in place of what it wanted before."""
        self.remove(subscriber)
        named = frozenset({_EVERY_AGENT} if wanted.agent_ids is None else wanted.agent_ids)
        self._named[subscriber] = named
        for agent_id in named:
            self._by_agent.setdefault(agent_id, set()).add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Take a subscriber out, if it is there."""
        for agent_id in self._named.pop(subscriber, ()):
            listeners = self._by_agent[agent_id]
            listeners.discard(subscriber)
            if not listeners:
                del self._by_agent[agent_id]

    def of(self, event: PublishedEvent) -> list[Subscriber]:
        """Each that may want an event, once; one of no agent goes to all."""
        return list(self._named) if event.agent_id is None else [*self._near(event.agent_id)]

    def _near(self, agent_id: str) -> Iterator[Subscriber]:
        for named in (_EVERY_AGENT, agent_id):
            yield from self._by_agent.get(named, ())
