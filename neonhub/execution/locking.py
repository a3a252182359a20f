"""Locking sessions by their ids, together with the agent and the limits that they are under."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, select, true

from neonhub.models import Agent, AgentSession, Fleet
from neonhub.models.given_rows import GivenTable

_GIVEN = GivenTable("locked", session_id=str)


def locking(*columns: Any, is_sqlite: bool) -> Select[*tuple[Any, ...]]:
    """A statement, to be built once, that locks the sessions of `given_ids`.

    Of a session without a fleet the fleet's columns are None: nothing has set its limits yet.

    Args:
        columns: Of `AgentSession`, `Agent` and `Fleet`.
    """
    # By id alone: with the status PostgreSQL may read all that wait, to find a few of them.
    given = _GIVEN.on(is_sqlite=is_sqlite)
    mine = _GIVEN.finds(AgentSession.id, "session_id", given=given, is_sqlite=is_sqlite)
    return (
        select(*columns)
        .select_from(given)
        .join(AgentSession, mine)
        # There is one; an inner join might begin with it, and read all sessions it ever had.
        .outerjoin(Agent, Agent.key == AgentSession.agent_key)
        .outerjoin(Fleet, true())
        .order_by(AgentSession.id)  # so that of two who lock the same ones, none waits for ever
        .with_for_update(of=AgentSession)
    )


def given_ids(session_ids: Iterable[str], *, is_sqlite: bool) -> Mapping[str, Any]:
    """The parameters that make it lock these sessions."""
    rows = [(each,) for each in sorted(set(session_ids))]
    return _GIVEN.values(rows, is_sqlite=is_sqlite)
