"""A turn of a keeper: what ended is written and what comes next claimed, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from neonhub.database import Database
from neonhub.execution.claims import Claim, Wanted, claim_untold, release_held
from neonhub.execution.endings import Ended, finish_untold
from neonhub.execution.outbox import Outbox


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
