"""Turns of a keeper that only claim or only end, for tests that look at one of the two."""

from collections.abc import Sequence
from datetime import datetime

from neonhub.database import Database
from neonhub.execution.claims import Claim, Wanted
from neonhub.execution.endings import Ended, Outcome, Started
from neonhub.execution.outbox import Outbox
from neonhub.execution.turns import turn


def claim_all(
    database: Database, wanted: Sequence[Wanted], *, now: datetime
) -> tuple[list[Claim], Outbox]:
    """The claims, and what is to be delivered."""
    done = turn(database, [], wanted, now=now)
    return done.claims, done.outbox


def claim(
    database: Database, session_id: str, *, attempt: int, worker: str, now: datetime
) -> tuple[Claim | None, Outbox]:
    """The claim of one session, or None."""
    claims, outbox = claim_all(database, [Wanted(session_id, attempt, worker)], now=now)
    return (claims[0] if claims else None), outbox


def finish_all(
    database: Database, ended: Sequence[Ended], *, now: datetime
) -> tuple[set[str], Outbox]:
    """The ids of the sessions whose end was written, and what is to be delivered."""
    done = turn(database, ended, [], now=now)
    return done.written, done.outbox


def finish(
    database: Database, started: Started, outcome: Outcome, *, now: datetime
) -> Outbox | None:
    """What is to be delivered, or None for a ghost."""
    written, outbox = finish_all(database, [Ended(started, outcome)], now=now)
    return outbox if written else None
