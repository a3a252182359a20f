"""Runs attempts of sessions: claims them, watches over their agents, writes their ends."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from selectors import PollSelector
from typing import Self

from redis import Redis
from sqlalchemy.exc import DBAPIError

from neonhub.agents import AgentManager
from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.agent_guard import Guards
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.agent_traces import FRESH, Recycling
from neonhub.execution.claims import Wanted
from neonhub.execution.endings import Ended, Outcome
from neonhub.execution.leases import Running, renew_all
from neonhub.execution.live_link import LiveLink
from neonhub.execution.seat import Seat
from neonhub.execution.session_log import Line, keep_lines
from neonhub.execution.starts import Starts
from neonhub.execution.turns import Turn, turn_apart
from neonhub.faults import reach

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often a keeper looks for stops, timeouts and for its own shutdown."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0
"""Between two tries to write while the database is away."""

START_SECONDS = 5.0
"""How long a process may take to start, where it is only tried whether one can."""


class Keeper:
    """Takes sessions, as many at once as it has seats, and sees each attempt to its end.

    One thread does it all: it waits for what agents tell, looks after them every
    `LOOK_SECONDS`, and writes ends and claims, however many there are, in one transaction.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        agents: AgentManager,
        workers: Sequence[str],
        *,
        recycling: Recycling = FRESH,
        clock: Clock = utcnow,
        is_shutting_down: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is forked before the first session; use it in the main thread.

        Args:
            workers: The name of each seat.
            recycling: When an agent's process is replaced though its last run left nothing.
            is_shutting_down: Whether this process was asked to end.
        """
        self.selector = PollSelector()
        """What it waits with; what else is to be waited for is registered here."""
        self.starts = Starts()
        guards = Guards()
        self.seats = [
            Seat(name, AgentProcess(agents, recycling, guards=guards, selector=self.selector))
            for name in workers
        ]
        self._database = database
        self._redis = redis
        self._clock = clock
        self._is_shutting_down = is_shutting_down
        self._shutdown_since: float | None = None
        self._live = LiveLink(redis)
        self._ends: list[Ended] = []
        self._lines: list[Line] = []  # of agents that have ended
        self._look_at = 0.0
        self._write_at = 0.0
        self._wait_seconds = FIRST_WAIT_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def free(self) -> int:
        """How many sessions it could start now.

        None while the database is away, or while an agent is still to be ended whose session may
        be at work elsewhere: it may be the next one here.
        """
        is_haunted = any(seat.watch and seat.watch.is_ghost for seat in self.seats)
        if is_haunted or self.starts.fault or time.monotonic() < self._write_at:
            return 0
        return len(self._free_seats())

    @property
    def is_busy(self) -> bool:
        """Whether an agent runs, or an end is still to be written."""
        return bool(self._ends) or len(self._free_seats()) < len(self.seats)

    def run_session(self, session_id: str, attempt: int) -> None:
        """Run one attempt to its end; a copy of a job finds it taken, and this returns."""
        self.turn([(session_id, attempt)])
        while self.is_busy:
            self.attend(self.wait())
            self.turn()

    def wait(self, at_most_seconds: float = LONGEST_WAIT_SECONDS) -> set[object]:
        """Wait until something comes, or the time of something.

        Returns:
            The data of those keys of the selector that something came for.
        """
        now = time.monotonic()
        times = [now + at_most_seconds]
        if self._write_at > now:
            times.append(self._write_at)
        if any(seat.claim for seat in self.seats):
            times.append(self._look_at)
        times += [seat.watch.kill_at for seat in self.seats if seat.watch and seat.watch.kill_at]
        return {key.data for key, _ in self.selector.select(max(0.0, min(times) - now))}

    def attend(self, told: Collection[object]) -> None:
        """Hear the agents that told something, look after all, and see off those that ended.

        Args:
            told: What `wait` returned.
        """
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._look()
        now = self._clock()
        for seat in self.seats:
            try:
                if seat.process in told:
                    self._live.tell(seat.hear(now=now))
                if seat.watch is not None and seat.watch.has_ended(now=now):
                    self._end(seat)
            except Exception:
                self._abandon(seat)

    def turn(self, jobs: Sequence[tuple[str, int]] = ()) -> None:
        """Write the ends there are and claim sessions, in one transaction, and start their agents.

        Args:
            jobs: Session and attempt of each; as many as `free` says at most.
        """
        if time.monotonic() < self._write_at or not (jobs or self._ends):
            return
        if jobs:
            reach("worker.job-taken")
        seats = dict(zip(sorted(jobs), self._free_seats(), strict=False))
        wanted = [Wanted(*job, seat.worker) for job, seat in seats.items()]
        began = time.monotonic()
        try:
            self._write_lines()
            turns = turn_apart(self._database, self._ends, wanted, now=self._clock())
        except DBAPIError as error:
            self._put_off(error)
            return
        ended, self._ends, self._wait_seconds = self._ends, [], FIRST_WAIT_SECONDS
        for claim in (claim for done in turns for claim in done.claims):
            seats[claim.session_id, claim.attempt].take(claim, since=began)
        if jobs:
            reach("worker.claimed")
        if ended:
            reach("worker.finished")
        self._begin_claimed()  # agents work while Redis is told
        for done in turns:
            done.outbox.deliver(self._redis)
        if ended:
            reach("worker.delivered")
        _log_dropped(ended, turns)

    def close_idle(self) -> None:
        """End agents' processes that had no work for long; see whether they can start again."""
        for seat in self.seats:
            seat.process.close_if_idle()
        self.starts.try_again(lambda: self.seats[0].process.try_to_start(START_SECONDS))

    def close(self) -> None:
        """End every agent's process."""
        for seat in self.seats:
            seat.process.close()
        self.selector.close()

    def _free_seats(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.claim is None]

    def _begin_claimed(self) -> None:
        """Start the agents of what was claimed, unless it was given up meanwhile."""
        waiting = [seat for seat in self.seats if seat.claim and not seat.watch]
        late = [seat for seat in waiting if seat.is_late]
        if late and not self._renew_late(late):
            return
        for seat in waiting:
            if seat.claim is not None:
                self._begin(seat)

    def _begin(self, seat: Seat) -> None:
        claim = seat.claim
        assert claim is not None
        try:
            seat.begin()
        except OSError as error:
            self.starts.failed(f"{error}.")
            self._ends.append(Ended(claim, Outcome(AttemptEnd.HANDED_BACK)))
            seat.leave()
        except Exception:
            self._abandon(seat)

    def _renew_late(self, late: Sequence[Seat]) -> bool:
        """Renew leases much of which may have passed; False: the database is away."""
        began = time.monotonic()
        claims = [seat.claim for seat in late if seat.claim]
        try:
            renewals = renew_all(
                self._database, [Running(claim) for claim in claims], now=self._clock()
            )
        except DBAPIError as error:
            self._put_off(error)
            return False
        for seat, claim, renewal in zip(late, claims, renewals, strict=True):
            if renewal.is_mine:
                seat.take(claim, since=began)
            else:
                _log("was given up before its agent began", claim.session_id)
                seat.leave()
        return True

    def _look(self) -> None:
        """What needs no more than a look now and then, for all agents at once."""
        if self._is_shutting_down():
            self._shutdown_since = self._shutdown_since or time.monotonic()
        watches = {
            seat.watch.claim.session_id: seat.watch for seat in self.seats if seat.watch is not None
        }
        now = self._clock()
        self._live.tell(
            [event for each in watches.values() for event in each.progress.due(now=now)]
        )
        for session_id in self._live.stopped([*watches]):
            watches[session_id].ask_to_stop(AttemptEnd.RAISED)
        for watch in watches.values():
            watch.look_at_the_time(self._shutdown_since)
        if time.monotonic() >= self._write_at:
            self._write_what_is_due()

    def _write_what_is_due(self) -> None:
        watches = [seat.watch for seat in self.seats if seat.watch is not None]
        due = [watch for watch in watches if time.monotonic() >= watch.renew_at]
        running = [
            Running(each.claim, each.progress.percent, each.progress.message) for each in due
        ]
        try:
            self._write_lines()
            renewals = renew_all(self._database, running, now=self._clock())
        except DBAPIError as error:
            self._put_off(error)
            return
        self._wait_seconds = FIRST_WAIT_SECONDS
        for watch, renewal in zip(due, renewals, strict=True):
            watch.note(renewal)
        self._begin_claimed()

    def _write_lines(self) -> None:
        """Write what agents logged; what can't be written now stays."""
        watches = [seat.watch for seat in self.seats if seat.watch is not None]
        lines = [*self._lines, *(line for watch in watches for line in watch.lines)]
        if not lines:
            return
        with self._database.begin() as db:
            keep_lines(db, lines)
        self._lines.clear()
        for watch in watches:
            watch.lines.clear()

    def _end(self, seat: Seat) -> None:
        """The agent has ended: its end is to be written with the next turn."""
        watch, now = seat.watch, self._clock()
        assert watch is not None
        seat.leave()
        reach("worker.agent-ended")
        if watch.has_failed_to_start:
            self.starts.failed(seat.process.exit_sentence())
        elif seat.process.has_begun():
            self.starts.succeeded()
        if not watch.is_ghost:
            self._live.tell(watch.progress.rest(now=now))
            self._lines += watch.lines
            self._ends.append(Ended(watch.claim, watch.outcome()))

    def _abandon(self, seat: Seat) -> None:
        session_id = seat.claim.session_id if seat.claim else None
        logger.exception("A session is left to the lifeline.", extra={"session_id": session_id})
        seat.leave()
        seat.process.close()

    def _put_off(self, error: DBAPIError) -> None:
        """The database is away: ends, lines and leases wait, and nothing new is taken."""
        if self._wait_seconds == FIRST_WAIT_SECONDS:
            logger.warning("Ends and leases wait for the database: %s", error)
        self._write_at = time.monotonic() + self._wait_seconds
        self._wait_seconds = min(LONGEST_WAIT_SECONDS, 2 * self._wait_seconds)


def _log_dropped(ended: Sequence[Ended], turns: Sequence[Turn]) -> None:
    written = {session_id for done in turns for session_id in done.written}
    for session_id in (each.claim.session_id for each in ended):
        if session_id not in written:
            _log("was given up as lost; its end is dropped", session_id)


def _log(what: str, session_id: str) -> None:
    logger.warning("Session %s %s.", session_id, what, extra={"session_id": session_id})
