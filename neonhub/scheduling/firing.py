"""Fires what was claimed: decides it in the database, then hands it over."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime

from redis import Redis
from sqlalchemy.exc import InterfaceError, OperationalError

from neonhub.database import Database
from neonhub.execution.outbox import Outbox
from neonhub.execution.retries import queue_due_retries, retry_instants
from neonhub.faults import reach
from neonhub.redis.jobs_ahead import JobsAhead
from neonhub.redis.queues import TimerMove
from neonhub.scheduling.decide import PART, SET_ASIDE, decide_ticks
from neonhub.scheduling.timers import RETRY, TICK, Claim, Timers

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError)
"""What the database raises when it is away or busy, rather than at fault with one row."""

_Fire = Callable[[Sequence[Claim], datetime], Outbox]


class Firing:
    """Turns claims into queued sessions, in one transaction and one script for a whole batch."""

    def __init__(self, database: Database, redis: Redis, timers: Timers) -> None:
        self._database = database
        self._redis = redis
        self._timers = timers

    def fire(self, claims: Sequence[Claim], now: datetime) -> None:
        """Decide claims and hand over what may start.

        A claim that can't be decided is set aside with its reason, and the others go on.

        Args:
            now: Timezone-aware instant the decisions are made at.

        Raises:
            sqlalchemy.exc.OperationalError: The database is away; the claims were given back.
        """
        ticks = [claim for claim in claims if claim.member.startswith(TICK)]
        retries = [claim for claim in claims if claim.member.startswith(RETRY)]
        self._drop_garbage([c for c in claims if not c.member.startswith((TICK, RETRY))])
        try:
            self._fire_all(ticks, self._fire_ticks, now)
            self._fire_all(retries, self._fire_retries, now)
        except AWAY:
            self._give_back(claims)
            raise

    def _fire_all(self, claims: Sequence[Claim], fire: _Fire, now: datetime) -> None:
        """Fire a batch; if it fails for a fault of one, find that one by halves."""
        if not claims:
            return
        try:
            outbox = fire(claims, now)
        except AWAY:
            raise
        except Exception as error:
            if len(claims) > 1:
                half = len(claims) // 2
                self._fire_all(claims[:half], fire, now)
                self._fire_all(claims[half:], fire, now)
                return
            logger.exception("Set aside: %s", error, extra={"timer": claims[0].member})
            outbox = Outbox(moves=[_set_aside(claims[0], now)])
        reach("scheduler.decided")
        outbox.deliver(self._redis)
        reach("scheduler.handed-over")

    def _fire_ticks(self, claims: Sequence[Claim], now: datetime) -> Outbox:
        timers = {claim.member.removeprefix(TICK): claim.claimed_score for claim in claims}
        many = JobsAhead(self._redis) if len(timers) > PART else nullcontext()
        with many as ahead, self._database.begin() as db:
            return decide_ticks(db, timers, now, ahead=ahead).outbox

    def _fire_retries(self, claims: Sequence[Claim], now: datetime) -> Outbox:
        by_id = {claim.member.removeprefix(RETRY): claim for claim in claims}
        outbox = Outbox()
        with self._database.begin() as db:
            outbox.jobs += queue_due_retries(db, list(by_id), now)
            queued = {job.session_id for job in outbox.jobs}
            waiting = retry_instants(db, [key for key in by_id if key not in queued])
        for session_id, claim in by_id.items():
            at = waiting.get(session_id)
            # One that is due and yet not queued is being changed by somebody: it comes due again.
            if at is None or at > now:
                outbox.moves.append(_settled(claim, at))
        for job in outbox.jobs:
            extra = {"session_id": job.session_id, "attempt": job.attempt}
            logger.info("The next attempt is queued.", extra=extra)
        return outbox

    def _drop_garbage(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            logger.warning("Removed a timer that is none: %r", claim.member)
        self._timers.remove(*(claim.member for claim in claims))

    def _give_back(self, claims: Sequence[Claim]) -> None:
        """Let the next look find the claims at once, not only after their time."""
        back = [TimerMove(c.member, c.claimed_score, c.due_score) for c in claims]
        Outbox(moves=back).deliver(self._redis)


def _settled(claim: Claim, at: datetime | None) -> TimerMove:
    return TimerMove(claim.member, claim.claimed_score, at.timestamp() if at else None)


def _set_aside(claim: Claim, now: datetime) -> TimerMove:
    return TimerMove(claim.member, claim.claimed_score, (now + SET_ASIDE).timestamp())
