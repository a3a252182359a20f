"""Renewing the leases of running attempts, and what a renewal brings back and forth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Executable, exists, select, update
from sqlalchemy.orm import Session

from neonhub.database import Database, connection_of
from neonhub.execution.claims import Claim
from neonhub.models import AgentSession, Attempt
from neonhub.models.attempt import IS_RUNNING
from neonhub.models.given_rows import GivenTable


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt whose lease is to be renewed, and how far it is."""

    claim: Claim
    progress: float | None = None  # percent, 0 to 100; None where nothing was reported yet
    progress_message: str | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the database said when a lease was renewed."""

    is_mine: bool  # False: the attempt was given up as lost; whoever holds it is a ghost now
    stop_requested: bool


def renew_all(database: Database, running: Sequence[Running], *, now: datetime) -> list[Renewal]:
    """Renew the leases of attempts and store how far they are, in one transaction.

    Args:
        now: Timezone-aware instant the leases are counted from.

    Returns:
        What the database said of each, in the order given.
    """
    if not running:
        return []
    with database.begin() as db:
        # Sessions before attempts, as everyone locks them.
        _store_progress(db, [each for each in running if each.progress is not None])
        mine = _renew(db, running, now)
    keys = [(each.claim.session_id, each.claim.attempt) for each in running]
    return [Renewal(key in mine, mine.get(key, False)) for key in keys]


_PROGRESS = GivenTable(
    "given", session_id=str, attempt=int, token=str, progress=float, progress_message=str
)
_LEASES = GivenTable("given", session_id=str, attempt=int, token=str, lease_until=datetime)


def _store_progress(db: Session, running: Sequence[Running]) -> None:
    if running:
        connection, is_sqlite = connection_of(db)
        rows = [
            (c.session_id, c.attempt, c.token, each.progress, each.progress_message)
            for each, c in ((each, each.claim) for each in running)
        ]
        connection.execute(_set_progress(is_sqlite), _PROGRESS.values(rows, is_sqlite=is_sqlite))


def _renew(db: Session, running: Sequence[Running], now: datetime) -> dict[tuple[str, int], bool]:
    """Renew those that have not ended: session and attempt → whether a stop is asked for."""
    connection, is_sqlite = connection_of(db)
    rows = [
        (c.session_id, c.attempt, c.token, now + timedelta(milliseconds=c.lease_ms))
        for c in (each.claim for each in running)
    ]
    given = _LEASES.values(rows, is_sqlite=is_sqlite)
    renewed = connection.execute(_set_leases(is_sqlite), given)
    return {(row.session_id, row.number): row.asked_at is not None for row in renewed}


@cache
def _set_progress(is_sqlite: bool) -> Executable:
    given = _PROGRESS.on(is_sqlite=is_sqlite)
    return (
        update(AgentSession)
        .where(
            _PROGRESS.finds(AgentSession.id, "session_id", given=given, is_sqlite=is_sqlite),
            exists().where(*_is_mine(given)),
        )
        .values(progress=given.c.progress, progress_message=given.c.progress_message)
    )


@cache
def _set_leases(is_sqlite: bool) -> Executable:
    given = _LEASES.on(is_sqlite=is_sqlite)
    asked_at = select(AgentSession.stop_requested_at).where(AgentSession.id == Attempt.session_id)
    return (
        update(Attempt)
        .where(
            _LEASES.finds(Attempt.session_id, "session_id", given=given, is_sqlite=is_sqlite),
            *_is_mine(given),
        )
        .values(lease_until=given.c.lease_until)
        .returning(Attempt.session_id, Attempt.number, asked_at.scalar_subquery().label("asked_at"))
    )


def _is_mine(given: Any) -> tuple[Any, ...]:
    return (
        Attempt.session_id == given.c.session_id,
        Attempt.number == given.c.attempt,
        Attempt.token == given.c.token,
        IS_RUNNING,
    )
