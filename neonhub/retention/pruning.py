"""Prunes: one short transaction after another, until nothing is past its time."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from neonhub.database import Database
from neonhub.domain.retention import Retention
from neonhub.models import Attempt, IdempotencyKey, SessionEvent
from neonhub.retention.pages import pages
from neonhub.retention.pruned import Pruned
from neonhub.retention.removal import remove_events, remove_keys, remove_logs, remove_sessions
from neonhub.retention.selection import keys_expire_before

BATCH = 500
"""Rows that one transaction removes at most."""

SESSIONS = 100
"""Sessions that one transaction removes at most: the result of each may take a MiB."""

REST_SECONDS = 0.02
"""How long whoever prunes rests after a transaction: most of the time nothing is locked."""


class Pruning:
    """Removes what is past its time; several that do so at once do no harm."""

    def __init__(
        self,
        database: Database,
        retention: Retention,
        *,
        batch: int = BATCH,
        sessions: int = SESSIONS,
    ) -> None:
        """
        Args:
            batch: Rows that one transaction removes at most.
            sessions: The same for sessions.
        """
        self._database = database
        self._retention = retention
        self._batch = batch
        self._sessions = sessions

    def run(self, now: datetime) -> Iterator[Pruned]:
        """Remove everything that is past its time.

        Args:
            now: Timezone-aware instant that ages are measured at.

        Yields:
            What a transaction removed, after its commit, so that the caller can rest.

        Raises:
            sqlalchemy.exc.DBAPIError: The database is away; what was yielded is gone all the same.
        """
        expired, cutoff = keys_expire_before(now), self._retention.cutoff(now)
        for keys in self._repeat(lambda db: remove_keys(db, expired, limit=self._batch)):
            yield Pruned(keys=keys)
        if cutoff is not None:
            for events in self._repeat(lambda db: remove_events(db, cutoff, limit=self._batch)):
                yield Pruned(events=events)
        for page in pages(self._database, self._retention, size=self._sessions, now=now):
            yield from self._remove(page.agent_id, page.ids)

    def survey(self, now: datetime) -> Iterator[Pruned]:
        """Count what `run` would remove, and change nothing.

        Args:
            now: Timezone-aware instant that ages are measured at.

        Yields:
            The counts of one part after another.
        """
        with self._database.read() as db:
            yield self._expired(db, now)
        for page in pages(self._database, self._retention, size=self._sessions, now=now):
            with self._database.read() as db:
                lines = _count(db, SessionEvent, SessionEvent.session_id.in_(page.ids))
                attempts = _count(db, Attempt, Attempt.session_id.in_(page.ids))
            yield Pruned(len(page.ids), attempts, lines, agent_id=page.agent_id)

    def _expired(self, db: Session, now: datetime) -> Pruned:
        cutoff, events = self._retention.cutoff(now), 0
        if cutoff is not None:
            of_none = SessionEvent.session_id.is_(None)
            events = _count(db, SessionEvent, of_none, SessionEvent.created_at < cutoff)
        expired = IdempotencyKey.created_at < keys_expire_before(now)
        return Pruned(events=events, keys=_count(db, IdempotencyKey, expired))

    def _repeat(self, remove: Callable[[Session], int]) -> Iterator[int]:
        """Remove batch after batch until one is not full."""
        removed = self._batch
        while removed == self._batch:
            with self._database.begin() as db:
                removed = remove(db)
            if removed:
                yield removed

    def _remove(self, agent_id: str, ids: Sequence[str]) -> Iterator[Pruned]:
        """Logs first: a session that went before them would take them all along at once."""
        removed = self._batch
        while removed == self._batch:
            with self._database.begin() as db:
                lines, attempts = remove_logs(db, ids, limit=self._batch)
            removed = lines + attempts
            if removed:
                yield Pruned(attempts=attempts, log_lines=lines, agent_id=agent_id)
        with self._database.begin() as db:
            sessions = remove_sessions(db, ids)
        if sessions:
            yield Pruned(sessions, agent_id=agent_id)


def _count(db: Session, table: type, *conditions: Any) -> int:
    return db.scalar(select(func.count()).select_from(table).where(*conditions)) or 0
