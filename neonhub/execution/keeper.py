"""Runs one attempt of a session: claim it, watch over its agent, write its end."""

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from neonhub.clock import Clock, utcnow
from neonhub.database import Database
from neonhub.domain.endings import AttemptEnd
from neonhub.execution.agent_process import AgentProcess
from neonhub.execution.claims import Claim, claim
from neonhub.execution.endings import Outcome, finish
from neonhub.execution.leases import renew
from neonhub.execution.reporter import Message
from neonhub.execution.session_log import LogBuffer, ProgressFeed
from neonhub.faults import reach
from neonhub.redis.keys import STOP_PREFIX

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often a keeper looks for a stop, for its child's exit and for its own worker's shutdown."""

STORE_SECONDS = 1.0
"""How soon new progress is stored with the lease, so that reading a session shows it."""

SHUTDOWN_FINISH_SECONDS = 3.0
"""How long a running agent may still finish after its worker was asked to shut down."""

SHUTDOWN_STOP_SECONDS = 2.0
"""How long it then has to obey `should_stop` before it is killed and its session handed back."""


class Keeper:
    """Takes sessions one at a time and sees each attempt to its end."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        process: AgentProcess,
        *,
        clock: Clock = utcnow,
        is_shutting_down: Callable[[], bool] = lambda: False,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            process: Where the agents run, one after another; whoever made it closes it.
            is_shutting_down: Whether this worker was asked to end; asked every `LOOK_SECONDS`.
            beat: Called as often, to say that this worker is alive.
        """
        self.database = database
        self.redis = redis
        self.process = process
        self.clock = clock
        self.is_shutting_down = is_shutting_down
        self.beat = beat

    def run_session(self, session_id: str, attempt: int, worker: str) -> None:
        """Claim an attempt, run its agent and write its end; a copy finds it taken and ends."""
        reach("worker.job-taken")
        began = time.monotonic()
        taken, outbox = claim(
            self.database, session_id, attempt=attempt, worker=worker, now=self.clock()
        )
        reach("worker.claimed")
        outbox.deliver(self.redis)
        if taken is None:
            logger.info("Session %s, attempt %d is not to be had.", session_id, attempt)
            return
        if not self._is_still_ours(taken, began):
            logger.warning("Session %s was given up before its agent began.", session_id)
            return
        outcome = Watch(self, taken).run()
        reach("worker.agent-ended")
        if outcome is not None:
            self._finish(taken, outcome)

    def _is_still_ours(self, taken: Claim, began: float) -> bool:
        """Whether the lease holds; asked of the database if much of it may have passed."""
        while time.monotonic() - began > taken.lease_ms / 3000:
            began = time.monotonic()
            try:
                now = self.clock()
                return renew(
                    self.database, taken, progress=None, progress_message=None, now=now
                ).is_mine
            except DBAPIError as error:
                logger.warning("Session %s waits: %s", taken.session_id, error)
                time.sleep(taken.lease_ms / 2000)
        return True

    def _finish(self, taken: Claim, outcome: Outcome) -> None:
        """Write the end, waiting for the database if it is away: a result is never run again."""
        wait = 0.1
        while True:
            try:
                outbox = finish(self.database, taken, outcome, now=self.clock())
                break
            except DBAPIError as error:
                logger.warning("The end of %s waits for the database: %s", taken.session_id, error)
                time.sleep(wait)
                wait = min(2.0, wait * 2)
                self.beat()
        if outbox is None:
            logger.warning("Session %s was given up as lost; its end is dropped.", taken.session_id)
            return
        reach("worker.finished")
        outbox.deliver(self.redis)
        reach("worker.delivered")


class Watch:
    """The time from an agent's start to its end, seen from outside."""

    def __init__(self, keeper: Keeper, taken: Claim) -> None:
        self._keeper = keeper
        self._claim = taken
        self._process = keeper.process
        self._progress = ProgressFeed(taken, keeper.redis)
        self._log = LogBuffer(taken, keeper.database)
        self._started = time.monotonic()
        self._renewed = self._started
        self._renew_at = self._started + taken.lease_ms / 3000
        self._look_at = self._started + LOOK_SECONDS
        self._kill_at: float | None = None
        self._cause: AttemptEnd | None = None  # why the agent was asked to stop, if it was
        self._end: Message | None = None
        self._is_ghost = False
        self._shutdown_since: float | None = None

    def run(self) -> Outcome | None:
        """Watch until the agent has ended.

        Returns:
            How it ended, or None if the attempt was given up as lost meanwhile.
        """
        try:
            self._process.start(self._claim)
            reach("worker.agent-started")
            while self._end is None and not self._is_over():
                for message in self._process.receive(self._look_at - time.monotonic()):
                    self._take(message)
                    if time.monotonic() >= self._look_at:
                        break  # however much the agent tells, it is looked after
                if self._process.has_exited():
                    self._take_what_is_left()
                    break
                if time.monotonic() >= self._look_at:
                    self._look_at = time.monotonic() + LOOK_SECONDS
                    self._look_after()
        finally:
            if self._process.end() and self._end is None and self._cause is None:
                self._cause = AttemptEnd.HANDED_BACK  # a fault of this worker, not of the agent
        if self._is_ghost:
            return None
        self._progress.flush(now=self._keeper.clock())
        self._flush_log()
        return self._outcome()

    def _take(self, message: Message) -> None:
        now = self._keeper.clock()
        match message["kind"]:
            case "progress":
                self._progress.take(message["percent"], message["message"], now=now)
                self._renew_at = min(self._renew_at, self._renewed + STORE_SECONDS)
            case "log":
                self._log.take(message, now=now)
            case _:
                self._end = message

    def _take_what_is_left(self) -> None:
        for message in self._process.receive(0):
            self._take(message)

    def _is_over(self) -> bool:
        """Whether the agent's time is up, or its session is another's."""
        return self._is_ghost or (self._kill_at is not None and time.monotonic() >= self._kill_at)

    def _look_after(self) -> None:
        self._keeper.beat()
        self._progress.flush_if_allowed(now=self._keeper.clock())
        self._flush_log()
        self._see_shutdown()
        now = time.monotonic()
        if now - self._started >= self._claim.timeout_seconds:
            self._ask_to_stop(AttemptEnd.TIMED_OUT, self._claim.stop_grace_ms / 1000)
        if self._is_stop_flagged():
            self._ask_to_stop(AttemptEnd.RAISED, self._claim.stop_grace_ms / 1000)
        if now >= self._renew_at:
            self._renew(now)

    def _ask_to_stop(self, cause: AttemptEnd, grace_seconds: float) -> None:
        if self._cause is None:
            self._cause = cause
            self._kill_at = time.monotonic() + grace_seconds
            self._process.ask_to_stop()

    def _see_shutdown(self) -> None:
        if not self._keeper.is_shutting_down():
            return
        now = time.monotonic()
        self._shutdown_since = self._shutdown_since or now
        if now - self._shutdown_since >= SHUTDOWN_FINISH_SECONDS:
            self._ask_to_stop(AttemptEnd.HANDED_BACK, SHUTDOWN_STOP_SECONDS)

    def _is_stop_flagged(self) -> bool:
        if self._cause is not None:
            return False
        try:
            return bool(self._keeper.redis.exists(STOP_PREFIX + self._claim.session_id))
        except RedisError:
            return False  # the next renewal reads the same from the database

    def _renew(self, now: float) -> None:
        try:
            renewal = renew(
                self._keeper.database,
                self._claim,
                progress=self._progress.percent,
                progress_message=self._progress.message,
                now=self._keeper.clock(),
            )
        except DBAPIError as error:
            logger.warning("The lease of %s waits: %s", self._claim.session_id, error)
            self._renew_at = now + 1
            return
        self._renewed, self._renew_at = now, now + self._claim.lease_ms / 3000
        self._is_ghost = not renewal.is_mine
        if renewal.stop_requested:
            self._ask_to_stop(AttemptEnd.RAISED, self._claim.stop_grace_ms / 1000)

    def _flush_log(self) -> None:
        try:
            self._log.flush()
        except DBAPIError as error:
            logger.warning("The log of %s waits: %s", self._claim.session_id, error)

    def _outcome(self) -> Outcome:
        end, result, error = AttemptEnd.RAISED, None, None
        if self._end is not None:
            end, result, error = (
                AttemptEnd(self._end["end"]),
                self._end["result"],
                self._end["error"],
            )
        elif self._cause is None:
            sentence = self._process.exit_sentence()
            error = {"type": "ProcessDied", "message": sentence, "traceback": None}
        if self._cause is AttemptEnd.TIMED_OUT:
            sentence = f"The agent ran longer than {self._claim.timeout_seconds} seconds."
            end, error = (
                AttemptEnd.TIMED_OUT,
                {"type": "Timeout", "message": sentence, "traceback": None},
            )
        elif self._cause is AttemptEnd.HANDED_BACK:
            end = AttemptEnd.HANDED_BACK
        return Outcome(end, result, error, self._progress.percent, self._progress.message)
