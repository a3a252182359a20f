"""`python -m neonhub prune [--dry-run]`: removes what is past its time, now."""

import argparse
import sys
import time
from collections import Counter

from sqlalchemy.exc import DBAPIError

from neonhub.clock import utcnow
from neonhub.config import Settings
from neonhub.database import Database
from neonhub.domain.retention import Retention
from neonhub.migrations import is_migrated
from neonhub.retention.pruned import Pruned
from neonhub.retention.pruning import REST_SECONDS, Pruning
from neonhub.startup import run_process


def main(settings: Settings) -> None:
    """Prune, or tell what would be pruned, and print how much that is.

    Ends the process with 1 if the database is away or of another version.
    """
    parser = argparse.ArgumentParser(prog="neonhub prune", description=_HELP)
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    dry_run = parser.parse_args().dry_run
    database = Database(settings.database_url)
    try:
        _require_schema(database)
        print(report(database, Retention(settings.keep_days, settings.keep_sessions), dry_run))
    except DBAPIError as error:
        sys.exit(f"The database does not answer: {error.orig}")
    finally:
        database.close()


_HELP = "Remove ended sessions and their logs that NEONHUB_KEEP_DAYS and NEONHUB_KEEP_SESSIONS"
_HELP += " do not keep, and Idempotency-Keys past their 24 hours."


def report(database: Database, retention: Retention, dry_run: bool) -> str:
    """Prune, or survey, and say how much of what in lines of text."""
    pruning = Pruning(database, retention)
    removed, by_agent = Pruned(), Counter[str]()
    for batch in (pruning.survey if dry_run else pruning.run)(utcnow()):
        time.sleep(0 if dry_run else REST_SECONDS)
        removed += batch
        if batch.agent_id is not None:
            by_agent[batch.agent_id] += batch.sessions
    lines = [
        f"  {agent_id}: {_many(by_agent[agent_id], 'session')}" for agent_id in sorted(by_agent)
    ]
    did = "Would remove" if dry_run else "Removed"
    return "\n".join([_limits(retention), f"{did} {_counts(removed)}.", *lines])


def _limits(retention: Retention) -> str:
    age = f"for {_many(retention.keep_days, 'day')}" if retention.keep_days else "for ever"
    count = f"at most {retention.keep_sessions:,} of each agent" if retention.keep_sessions else ""
    return f"Ended sessions are kept {', '.join(filter(None, (age, count)))}."


def _counts(removed: Pruned) -> str:
    of_sessions = f"{_many(removed.attempts, 'attempt')} and {_many(removed.log_lines, 'log line')}"
    others = f"{_many(removed.events, 'other event')} and {_many(removed.keys, 'idempotency key')}"
    return f"{_many(removed.sessions, 'session')} with {of_sessions}, {others}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _require_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        if not is_migrated(connection):
            sys.exit("The database's schema is another version's; start NeonHub on it first.")


if __name__ == "__main__":
    run_process("prune", main)
