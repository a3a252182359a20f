"""A turn of a keeper: what ended is written and what comes next claimed, in one transaction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from neonhub.database import Database, connection_of
from neonhub.execution.claims import (
    Claim,
    Wanted,
    claim_startable,
    lock_wanted,
    release_held,
    startable_of,
)
from neonhub.execution.endings import Ended, end_attempts, finish_locked
from neonhub.execution.outbox import Outbox
from neonhub.statements import run_all

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a turn; the outbox is to be delivered now that it is committed."""

    claims: list[Claim]
    written: set[str]  # ids of the sessions whose end was written; a ghost's is missing
    outbox: Outbox


def turn(
    database: Database, ended: Sequence[Ended], wanted: Sequence[Wanted], *, now: datetime
) -> Turn:
    """End attempts and claim others, which have the slots of those that ended.

    What does not wait for each other's answers is run together: on PostgreSQL each question to it
    takes as long as the work it does.

    Args:
        now: Timezone-aware instant of the ends and of the starts.
    """
    outbox = Outbox()
    with database.begin() as db:
        connection, is_sqlite = connection_of(db)
        ending = end_attempts(ended, now=now, is_sqlite=is_sqlite)
        locking = lock_wanted(wanted, is_sqlite=is_sqlite)
        locked, mine, free = run_all(connection, [*ending, locking])
        startable = startable_of(wanted, free)
        heirs = [row.id for row in startable if row.reserved_slot is None]
        done = finish_locked(db, ended, locked, mine, outbox, heirs=heirs, now=now)
        claims, starting, starts = claim_startable(
            db, wanted, startable, outbox, with_slot=done.heirs, now=now
        )
        outbox.tell(db, [*done.told, *starts], now=now, after=starting)
    release_held(database, outbox, now=now)
    return Turn(claims, done.written, outbox)


def turn_apart(
    database: Database, ended: Sequence[Ended], wanted: Sequence[Wanted], *, now: datetime
) -> list[Turn]:
    """As `turn`, but if the database refuses one of them, the others get by without it.

    What is refused is left to the lifeline: nobody renews its lease any more.
    """
    try:
        return [turn(database, ended, wanted, now=now)]
    except Exception as error:
        if not _is_refusal(error):
            raise
        logger.exception("The database refuses one of %d.", len(ended) + len(wanted))
    if len(ended) + len(wanted) == 1:
        return []
    alone = [turn_apart(database, [each], [], now=now) for each in ended]
    alone += [turn_apart(database, [], [each], now=now) for each in wanted]
    return [done for turns in alone for done in turns]


def _is_refusal(error: Exception) -> bool:
    """Whether it is about what was to be written, and would come again."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(error, StatementError) and not isinstance(error, DBAPIError)
