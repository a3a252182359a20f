"""The sessions that go, a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.retention import Bound, Place, Retention, bound
from neonhub.models import Agent
from neonhub.retention.selection import START, first_over, kept, page


@dataclass(frozen=True, slots=True)
class Page:
    """Sessions of one agent, oldest first."""

    agent_id: str
    ids: Sequence[str]


def pages(database: Database, retention: Retention, *, size: int, now: datetime) -> Iterator[Page]:
    """Every session that goes, agent by agent, those of removed agents too.

    Nothing is locked between two pages. Whether they are removed meanwhile makes no difference.

    Args:
        size: Sessions looked at in one transaction.
        now: Timezone-aware instant that ages are measured at.
    """
    with database.read() as db:
        agents = db.execute(select(Agent.key, Agent.slug).order_by(Agent.key)).all()
    for key, slug in agents:
        with database.read() as db:
            until = _bound(db, key, retention, now)
        if until is None:
            continue
        for ids in _ids(database, key, until, size, now):
            yield Page(slug, ids)


def _bound(db: Session, agent_key: int, retention: Retention, now: datetime) -> Bound | None:
    keep = retention.keep_sessions
    found = db.execute(first_over(agent_key, keep)).first() if keep else None
    return bound(retention, Place(*found) if found else None, now=now)


def _ids(
    database: Database, agent_key: int, until: Bound, size: int, now: datetime
) -> Iterator[Sequence[str]]:
    after: Place | None = START
    while after is not None:
        with database.read() as db:
            query = page(agent_key, until, after, limit=size)
            places = [Place(*row) for row in db.execute(query)]
            ids = [place.session_id for place in places]
            staying = kept(db, ids, now)
        if going := [each for each in ids if each not in staying]:
            yield going
        after = places[-1] if len(places) == size else None
