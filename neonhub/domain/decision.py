"""What becomes of the ticks of one schedule that are due."""

from datetime import datetime, timedelta
from typing import NamedTuple

from neonhub.domain.occurrences import count_ticks, latest_tick, next_tick
from neonhub.domain.schedule import Recurrence
from neonhub.domain.states import CatchUp, HoldReason, Overlap, Reason, SessionStatus

_INSTANT = timedelta(microseconds=1)

LIVE_SECONDS = 5
"""A tick no later than this is live: it needs no catching up."""


MAX_ROWS = 100
"""How many ticks of one schedule are caught up in one step; the rest stays due."""


class DueSchedule(NamedTuple):
    """What decides the due ticks of a schedule, and nothing else: equal ones are decided alike."""

    recurrence: Recurrence
    next_tick_at: datetime
    jitter: timedelta = timedelta()  # of this schedule
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_window_seconds: int = 3600
    runs_left: int | None = None  # None: any number
    paused: bool = False
    skip_next: bool = False
    active: int = 0  # sessions that run, retry or wait, held ones included
    waiting: int = 0  # those of them held for overlap
    catching_up: int = 0  # those of them held for catching up
    room: int | None = None  # how many more sessions of its agent may wait; None: any number


class TickRow(NamedTuple):
    """One session row to write."""

    tick_at: datetime
    scheduled_for: datetime
    status: SessionStatus
    reason: str | None = None
    hold_reason: HoldReason | None = None
    missed_count: int | None = None
    missed_from: datetime | None = None


class Decision(NamedTuple):
    """All that changes: rows to write, and where the schedule stands after."""

    rows: tuple[TickRow, ...]
    next_tick_at: datetime | None
    next_run_at: datetime | None
    runs: int  # rows that run or wait to, which count against `maxRuns`
    skip_next: bool = False
    replace: bool = False  # running and waiting sessions are to be stopped first


def decide(due: DueSchedule, now: datetime, *, max_rows: int = MAX_ROWS) -> Decision:
    """Decide every tick that is due at `now`: each gets a row, its own or a shared one.

    A tick within the catch-up window runs as `catch_up` says; what is older or not chosen shares
    one `MISSED` row. The next tick follows from the planned times, never from the clock.

    Args:
        now: Timezone-aware instant.
        max_rows: How many ticks are caught up in one step; the rest stays due.
    """
    return _Deciding(due, now).decide(max_rows)


def give_up_due(
    rec: Recurrence, next_tick_at: datetime, jitter: timedelta, now: datetime
) -> TickRow | None:
    """The row for ticks that were due when their schedule changed, and are not its ticks now.

    Args:
        rec: What the schedule was.
        next_tick_at: Its next undecided tick.
    """
    if next_tick_at > now - jitter:
        return None
    until = now - jitter + _INSTANT
    return _shared(rec, next_tick_at, until, jitter, SessionStatus.MISSED, Reason.EDITED)


def _shared(
    rec: Recurrence,
    first: datetime,
    until: datetime,
    jitter: timedelta,
    status: SessionStatus,
    reason: Reason,
) -> TickRow:
    """One row for the ticks from the first up to, not including, an instant."""
    count = max(count_ticks(rec, first, until), 1)
    newest = max(latest_tick(rec, until - _INSTANT) or first, first)
    if count == 1 and status is not SessionStatus.MISSED:
        return TickRow(newest, newest + jitter, status, reason)
    since = first + jitter
    return TickRow(newest, newest + jitter, status, reason, None, count, since)


class _Deciding:
    """The state of one decision."""

    __slots__ = (
        *("due", "rec", "jitter", "horizon"),
        *("first", "rows", "runs", "skip_next", "replace", "room"),
    )

    def __init__(self, due: DueSchedule, now: datetime) -> None:
        self.due = due
        self.rec = due.recurrence
        self.jitter = due.jitter
        self.horizon = now - due.jitter
        self.first: datetime | None = due.next_tick_at
        self.rows: list[TickRow] = []
        self.runs = 0
        self.skip_next = due.skip_next
        self.replace = False
        self.room = due.room

    def decide(self, max_rows: int) -> Decision:
        if self._is_exhausted():
            self.first = None
        elif self.due.paused:
            self._share_all(SessionStatus.SKIPPED, Reason.PAUSED)
        else:
            self._skip_one()
            self._miss_old()
            if self.due.catch_up is CatchUp.ALL:
                self._run_all(max_rows)
            else:
                self._run_newest()
        next_tick_at = None if self._is_exhausted() else self.first
        return Decision(
            rows=tuple(self.rows),
            next_tick_at=next_tick_at,
            next_run_at=next_tick_at and next_tick_at + self.jitter,
            runs=self.runs,
            skip_next=self.skip_next,
            replace=self.replace,
        )

    def _is_exhausted(self) -> bool:
        return self.due.runs_left is not None and self.runs >= self.due.runs_left

    def _is_due(self) -> bool:
        return self.first is not None and self.first <= self.horizon

    def _skip_one(self) -> None:
        """The one tick a person asked to skip."""
        if self.skip_next and self.first is not None and self._is_due():
            self._row(self.first, SessionStatus.SKIPPED, Reason.SKIPPED_BY_USER)
            self._go_past(self.first)
            self.skip_next = False

    def _miss_old(self) -> None:
        """What is older than the window is missed; to `NONE`, all that is late."""
        if self.due.catch_up is CatchUp.NONE:
            reason, seconds = Reason.CATCH_UP, LIVE_SECONDS
        else:
            reason = Reason.WINDOW
            seconds = max(self.due.catch_up_window_seconds, LIVE_SECONDS)
        oldest = self.horizon - timedelta(seconds=seconds)
        if self.first is not None and self.first < oldest:
            self._share(oldest, SessionStatus.MISSED, reason)

    def _run_newest(self) -> None:
        if self.first is None or self.first > self.horizon:
            return
        tick, following = self.first, next_tick(self.rec, self.first)
        if following is not None and following <= self.horizon:
            tick = latest_tick(self.rec, self.horizon) or following
            self._share(tick, SessionStatus.MISSED, Reason.CATCH_UP)
            following = next_tick(self.rec, tick)
        self._apply_overlap(tick)
        self.first = following

    def _run_all(self, max_rows: int) -> None:
        ticks: list[datetime] = []
        while self._is_due() and self.first is not None and len(ticks) < max_rows:
            ticks.append(self.first)
            self._go_past(self.first)
        catching_up = len(ticks) > 1 or self.due.catching_up > 0
        for tick in ticks:
            if self._is_exhausted():
                break
            if catching_up and self.due.overlap is not Overlap.ALLOW and self.room != 0:
                is_first = tick == ticks[0] and self.due.active == 0
                self._queue(tick, None if is_first else HoldReason.CATCH_UP)
            else:
                self._apply_overlap(tick)

    def _apply_overlap(self, tick: datetime) -> None:
        overlap = self.due.overlap
        if self.room == 0:
            self._row(tick, SessionStatus.SKIPPED, Reason.QUEUE_FULL)
        elif self.due.active == 0 or overlap is Overlap.ALLOW:
            self._queue(tick, None)
        elif overlap is Overlap.REPLACE:
            self.replace = True
            self._queue(tick, HoldReason.OVERLAP)
        elif overlap is Overlap.QUEUE_ONE and self.due.waiting == 0:
            self._queue(tick, HoldReason.OVERLAP)
        else:
            self._row(tick, SessionStatus.SKIPPED, Reason.OVERLAP)

    def _queue(self, tick: datetime, hold: HoldReason | None) -> None:
        self.runs += 1
        self.room = self.room and self.room - 1
        self.rows.append(TickRow(tick, tick + self.jitter, SessionStatus.QUEUED, hold_reason=hold))

    def _share_all(self, status: SessionStatus, reason: Reason) -> None:
        newest = latest_tick(self.rec, self.horizon)
        if newest is not None and self._is_due():
            self._share(newest + _INSTANT, status, reason)

    def _share(self, until: datetime, status: SessionStatus, reason: Reason) -> None:
        """One row for the ticks from the first due one up to, not including, an instant."""
        if self.first is not None:
            row = _shared(self.rec, self.first, until, self.jitter, status, reason)
            self.rows.append(row)
            self._go_past(row.tick_at)

    def _row(self, tick: datetime, status: SessionStatus, reason: Reason) -> None:
        self.rows.append(TickRow(tick, tick + self.jitter, status, reason))

    def _go_past(self, tick: datetime) -> None:
        self.first = next_tick(self.rec, tick)
