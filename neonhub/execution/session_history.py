"""Pages of an agent's sessions, at a cost that follows the page and not the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
)

from neonhub.domain.states import ACTIVE, SessionStatus, Trigger
from neonhub.models import AgentSession
from neonhub.models.finding import agent_key_of
from neonhub.models.page import Page
from neonhub.models.session import ASKED_FOR, ENDED
from neonhub.statements import run, run_all

COUNTED = 10_000
"""Sessions a total counts up to; where there are more, it says no more than so many."""

COUNTED_AHEAD = 1000
"""Sessions counted beyond a page however deep it is, so that whoever pages on finds the end."""

SessionRow: TypeAlias = Any
"""What a session is to those who ask for it, by the names of `AgentSession`."""

_INTERNAL = {
    *("agent_key", "tick_at", "priority_rank", "failures", "timeout_seconds", "retry_of"),
    *("pushes", "pushed_at", "stop_requested_at", "stop_reason"),
}
_SHOWN = [each for each in AgentSession.__table__.columns if each.name not in _INTERNAL]
SHOWN = tuple(column.name for column in _SHOWN)
"""What each value of a row is."""

_PLACE = (AgentSession.queued_at, AgentSession.id)
_NEWEST_FIRST = tuple(column.desc() for column in _PLACE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of an agent's sessions."""

    agent_id: str  # its slug
    status: SessionStatus | None = None
    trigger: Trigger | None = None
    since: datetime | None = None  # queued at or after
    until: datetime | None = None  # queued before

    @property
    def given(self) -> dict[str, Any]:
        """What is asked for, by the names of the parameters of `places`."""
        fields = {name: getattr(self, name) for name in _PARAMETERS}
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def newest_first(self) -> Select[datetime, str]:
        """Where they stand in the history; a statement that takes `given`."""
        is_active = None if self.status is None else self.status in ACTIVE
        is_asked_for = None if self.trigger is None else self.trigger != Trigger.SCHEDULE
        return places(is_active, is_asked_for, self.since is not None, self.until is not None)


_PARAMETERS = ("agent_id", "status", "trigger", "since", "until")


@cache
def places(
    is_active: bool | None = None,
    is_asked_for: bool | None = None,
    has_since: bool = False,
    has_until: bool = False,
) -> Select[datetime, str]:
    """The places of an agent's sessions in its history, newest first.

    Statements are made once, as making one takes longer than running it. Each says in words of its
    own what its index holds, by which the databases find the index.

    Args:
        is_active: Whether the status asked for is that of an active session; None: any status.
        is_asked_for: Whether the trigger asked for is another than `SCHEDULE`; None: any trigger.
    """
    agent_key, queued_at = AgentSession.agent_key, AgentSession.queued_at
    # The sum keeps SQLite from the agent's history: of all that are active there are few.
    of_agent = (agent_key + 0 if is_active else agent_key) == agent_key_of(_given("agent_id"))
    query = select(*_PLACE).where(of_agent)
    if is_active is not None:
        query = query.where(AgentSession.status == _given("status"))
    if is_active:
        query = query.where(AgentSession.finished_at.is_(None))
    elif is_active is False and not is_asked_for:  # of those asked for there are fewer
        query = query.where(text(ENDED))
    if is_asked_for is not None:
        query = query.where(AgentSession.trigger == _given("trigger"))
    if is_asked_for:
        query = query.where(text(ASKED_FOR))
    if has_since:
        query = query.where(queued_at >= _given("since"))
    if has_until:
        query = query.where(queued_at < _given("until"))
    return query.order_by(*_NEWEST_FIRST)


def read_page(
    connection: Connection, wanted: Wanted, *, page: int, page_size: int
) -> Page[SessionRow]:
    """A page of an agent's sessions, newest first; an empty one if there is no such agent.

    The total is exact up to `COUNTED`, and wherever the page is among the last `COUNTED_AHEAD`.
    """
    query, offset = wanted.newest_first, (page - 1) * page_size
    rows = _rows(query), wanted.given | {"skipped": offset, "size": page_size}
    if offset < COUNTED:
        counted = max(COUNTED, offset + page_size + COUNTED_AHEAD)
        total = _count(query), wanted.given | {"size": counted}
        items, [[found]] = run_all(connection, [rows, total])
    else:  # to ask twice takes less than to skip so many twice
        items = run(connection, *rows)
        found = _deep_total(connection, wanted, items, offset)
    return Page(items, page=page, page_size=page_size, total=found)


@cache
def _rows(query: Select[datetime, str]) -> Select[*tuple[Any, ...]]:
    """Some of the sessions at these places.

    What is skipped is read from an index alone; only what is on the page is read as rows.
    """
    ids = query.with_only_columns(AgentSession.id).offset(_number("skipped")).limit(_number("size"))
    return select(*_SHOWN).where(AgentSession.id.in_(ids)).order_by(*_NEWEST_FIRST)


def _deep_total(
    connection: Connection, wanted: Wanted, items: Sequence[SessionRow], offset: int
) -> int:
    """What comes before a page beyond `COUNTED`, what is on it, and what is counted after it."""
    query = wanted.newest_first
    if not items:
        return connection.scalar(_count(query), wanted.given | {"size": offset}) or 0
    given = wanted.given | {"size": COUNTED_AHEAD}
    given |= {"last_at": items[-1].queued_at, "last_id": items[-1].id}
    return offset + len(items) + (connection.scalar(_count(_after(query)), given) or 0)


@cache
def _after(query: Select[datetime, str]) -> Select[datetime, str]:
    """Only what is older in the history than the last one of a page."""
    (at, session_id), last_at = _PLACE, _given("last_at")
    is_older = or_(at < last_at, and_(at == last_at, session_id < _given("last_id")))
    # For SQLite, which does not look for pairs in an index.
    return query.where(at <= last_at, is_older)


@cache
def _count(query: Select[datetime, str]) -> Select[int]:
    """How many there are, up to a size."""
    return select(func.count()).select_from(query.limit(_number("size")).subquery())


def _given(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=Integer)
