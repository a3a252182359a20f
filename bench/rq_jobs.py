"""The jobs of the other side: RQ's least, and one that tells when it ran."""

import json
import time

from rq import get_current_job

NOTES = "bench:notes"
"""List of `[due, queued, ran]`, each in unix seconds."""


def nothing() -> None:
    """Return at once."""


def note(due: float | None = None) -> None:
    """Note this moment, and when the job was queued.

    Args:
        due: Unix seconds it was due at, where that is known.
    """
    ran = time.time()
    job = get_current_job()
    assert job is not None and job.enqueued_at is not None
    job.connection.rpush(NOTES, json.dumps([due, job.enqueued_at.timestamp(), ran]))
