"""What a session may bring with it, and how many of an agent may wait."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Executable, Select, func, or_, select, text
from sqlalchemy.orm import Session

from neonhub.database import connection_of
from neonhub.domain.states import HoldReason
from neonhub.errors import InvalidInput, QueueFull
from neonhub.models import Agent, AgentSession, Fleet
from neonhub.models.given_rows import GivenTable
from neonhub.models.session import QUEUED
from neonhub.statements import run


def require_input_fits(db: Session, input: Mapping[str, Any]) -> None:
    """Check the size of what is handed to an agent; nothing is refused before the fleet is set up.

    Raises:
        InvalidInput: It is larger than NEONHUB_MAX_INPUT_BYTES.
    """
    limit = db.scalar(select(Fleet.max_input_bytes))
    size = len(json.dumps(input, ensure_ascii=False, separators=(",", ":")).encode())
    if limit is not None and size > limit:
        raise InvalidInput(
            {
                "input": [
                    f"It has {size} bytes: at most {limit} are allowed (NEONHUB_MAX_INPUT_BYTES)."
                ]
            }
        )


def require_room(db: Session, agent: Agent) -> None:
    """Check that one more session of an agent may wait.

    Raises:
        QueueFull: As many wait as NEONHUB_MAX_QUEUED allows.
    """
    limit = db.scalar(select(Fleet.max_queued))
    if limit is not None and queued(db, [agent.key]).get(agent.key, 0) >= limit:
        raise QueueFull(
            f"{limit} sessions of agent {agent.slug!r} are queued, the most that "
            "NEONHUB_MAX_QUEUED allows: wait until some have run, or stop them."
        )


def queued(db: Session, agent_keys: Iterable[int]) -> dict[int, int]:
    """Count the queued sessions of agents by key, those held for a backfill left out."""
    connection, is_sqlite = connection_of(db)
    keys = [(key,) for key in sorted(set(agent_keys))]
    asked = _ASKED.values(keys, is_sqlite=is_sqlite)
    return dict(run(connection, _count_queued(is_sqlite), asked))


def queued_of(agent_keys: Select[Any]) -> Executable:
    """A statement for what `queued` counts: pairs of a selected key and its count."""
    hold = AgentSession.hold_reason
    return (
        select(AgentSession.agent_key, func.count())
        .where(
            AgentSession.agent_key.in_(agent_keys),
            text(QUEUED),
            or_(hold.is_(None), hold != HoldReason.BACKFILL),
        )
        .group_by(AgentSession.agent_key)
    )


_ASKED = GivenTable("asked", agent_key=int)


@cache
def _count_queued(is_sqlite: bool) -> Executable:
    return queued_of(select(_ASKED.on(is_sqlite=is_sqlite).c.agent_key))
