"""Puts timers back from the database: all of them at a start, the near ones at every sweep."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, Select, TextClause, select, text, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from neonhub.database import Database
from neonhub.domain.states import Priority
from neonhub.models import AgentSession, Schedule
from neonhub.models.session import RETRYING
from neonhub.scheduling.timers import RETRY, TICK, VISIBILITY_SECONDS, Timers

CHUNK = 2000
"""Rows of one transaction; firing goes on between two of them."""

_Row = tuple[str, datetime]


class Repair:
    """Reads what is due from the database, and sets the timers that are missing or late.

    Each method yields after every chunk, so that whoever calls it can fire in between.
    """

    def __init__(self, database: Database, timers: Timers, *, chunk: int = CHUNK) -> None:
        self._database = database
        self._timers = timers
        self._chunk = chunk

    def load(self, now: datetime) -> Iterator[int]:
        """Set the timers of everything that will ever be due: what is due first, then the rest.

        Yields:
            How many timers each chunk changed.
        """
        self._timers.mark_alive()
        for chunk in self.due_until(now):
            yield self._set(TICK, chunk)
        yield from self._all_ticks()
        yield from self._retries(None)

    def sweep(self, now: datetime, ahead: timedelta) -> Iterator[int]:
        """Set the timers of what is due until `ahead`, the most urgent first.

        What came due just now is left to whoever has claimed it.

        Yields:
            How many timers each chunk changed.
        """
        claimed_since = now - timedelta(seconds=VISIBILITY_SECONDS)
        for chunk in self.due_until(now + ahead):
            yield self._set(TICK, [row for row in chunk if not claimed_since < row[1] <= now])
        yield from self._retries(now + ahead)

    def hurry(self, now: datetime, limit: int) -> None:
        """Have the most urgent of what is due claimed next, however long the rest has been due.

        Args:
            limit: How many; the next claim should have room for others beside them.
        """
        chunks = self.due_until(now, min(limit, self._chunk))
        urgent = islice((TICK + key for chunk in chunks for key, _ in chunk), limit)
        self._timers.bring_forward(list(urgent), now)

    def _set(self, kind: str, rows: list[_Row]) -> int:
        return self._timers.add_missing({kind + key: at.timestamp() for key, at in rows})

    def due_until(self, until: datetime, size: int | None = None) -> Iterator[list[_Row]]:
        """Chunks of the schedules that are due until an instant, the most urgent first."""
        for priority in Priority:
            yield from self._ticks_of(priority, until, size or self._chunk)

    def _ticks_of(self, priority: Priority, until: datetime, size: int) -> Iterator[list[_Row]]:
        """Chunks in the order of the index on (priority_rank, next_run_at)."""
        due = (Schedule.priority_rank == priority.rank, Schedule.next_run_at <= until)
        yield from self._in_order(Schedule.next_run_at, Schedule.id, due, size)

    def _in_order(
        self,
        instant: InstrumentedAttribute[datetime | None],
        key: InstrumentedAttribute[str],
        conditions: Sequence[ColumnElement[bool] | TextClause],
        size: int,
    ) -> Iterator[list[_Row]]:
        """Chunks of ids and instants, the earliest first, along an index that the instants end."""
        query = select(key, instant).where(*conditions).order_by(instant, key).limit(size)
        rows = self._read(query)
        while rows:
            yield rows
            if len(rows) < size:
                return
            last, at = rows[-1]
            rows = self._read(query.where(instant >= at, tuple_(instant, key) > (at, last)))

    def _all_ticks(self) -> Iterator[int]:
        last = ""
        query = select(Schedule.id, Schedule.next_run_at).order_by(Schedule.id).limit(self._chunk)
        while rows := self._read(
            query.where(Schedule.id > last, Schedule.next_run_at.is_not(None))
        ):
            yield self._set(TICK, rows)
            last = rows[-1][0]

    def _retries(self, until: datetime | None) -> Iterator[int]:
        # Spelled out so that the index of what retries serves.
        due: list[ColumnElement[bool] | TextClause] = [text(RETRYING)]
        if until is not None:
            due.append(AgentSession.next_attempt_at <= until)
        chunks = self._in_order(AgentSession.next_attempt_at, AgentSession.id, due, self._chunk)
        for rows in chunks:
            yield self._set(RETRY, rows)

    def _read(self, query: Select[str, datetime | None]) -> list[_Row]:
        with self._database.read_rows() as connection:
            return [(row[0], row[1]) for row in connection.execute(query) if row[1] is not None]
