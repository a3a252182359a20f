"""The limits all processes share."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from neonhub.config import Settings
from neonhub.database import Database
from neonhub.execution.slots import fit_slots
from neonhub.models import Fleet


def sync_fleet(database: Database, settings: Settings) -> None:
    """Write this process's limits for all to read, and make as many slots as they allow.

    Schedulers and `python app.py` call it when they start; the last one to start wins. Workers
    only read, so a stock `rq worker` needs none of these settings.
    """
    limits = {
        "max_concurrent": settings.max_concurrent,
        "backoff_base_ms": settings.backoff_base_ms,
        "backoff_max_ms": settings.backoff_max_ms,
        "stop_grace_ms": settings.stop_grace_ms,
        "lease_ms": settings.lease_ms,
        "max_memory_bytes": settings.max_memory_bytes,
        "max_input_bytes": settings.max_input_bytes,
        "max_result_bytes": settings.max_result_bytes,
        "max_log_lines": settings.max_log_lines,
        "max_log_line_bytes": settings.max_log_line_bytes,
        "max_events_per_second": settings.max_events_per_second,
        "max_queued": settings.max_queued,
    }
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    # One statement, as two that start at once would both find no row.
    written = insert(Fleet).values(id=1, **limits)
    with database.begin() as db:
        db.execute(written.on_conflict_do_update(index_elements=["id"], set_=limits))
        fit_slots(db)


def get_fleet(db: Session, *, lock: bool = False) -> Fleet:
    """The shared limits.

    Args:
        lock: Whether the row is going to be changed.

    Raises:
        LookupError: No scheduler and no `python app.py` has ever started on this database.
    """
    fleet = db.get(Fleet, 1, with_for_update=True if lock else None)
    if fleet is None:
        raise LookupError(
            "The fleet has no limits yet: start `python app.py` or a scheduler first."
        )
    return fleet
