"""A turn of a keeper: what ended is written and what comes next claimed, in one transaction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from neonhub.database import Database
from neonhub.execution.claims import Claim, Wanted, claim_untold, release_held
from neonhub.execution.endings import Ended, finish_untold
from neonhub.execution.outbox import Outbox

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
    """End attempts and claim others, the ends first: their slots are free for the claims.

    Args:
        now: Timezone-aware instant of the ends and of the starts.
    """
    outbox = Outbox()
    with database.begin() as db:
        written, ends = finish_untold(db, ended, outbox, now=now)
        claims, starts = claim_untold(db, wanted, outbox, now=now)
        outbox.tell(db, [*ends, *starts], now=now)
    release_held(database, outbox, now=now)
    return Turn(claims, written, outbox)


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
