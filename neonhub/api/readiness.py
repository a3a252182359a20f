"""Whether this system can do its work: database, migrations, Redis, a live scheduler."""

from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from neonhub.api.status import DATABASE_ERRORS
from neonhub.database import Database
from neonhub.migrations import is_migrated
from neonhub.scheduling.heartbeat import live_schedulers

Check = dict[str, Any]


def readiness(database: Database, redis: Redis) -> dict[str, Any]:
    """Every check by its name, and `ready` only if all hold."""
    checks = {**_database(database), **_redis(redis)}
    is_ready = all(check["ok"] for check in checks.values())
    return {"status": "ready" if is_ready else "not ready", "checks": checks}


def _check(ok: bool, good: str, bad: str) -> Check:
    return {"ok": ok, "message": good if ok else bad}


def _database(database: Database) -> dict[str, Check]:
    try:
        with database.engine.connect() as connection:
            migrated = is_migrated(connection)
    except DATABASE_ERRORS:
        away = _check(False, "", "does not answer")
        return {"database": away, "migrations": _check(False, "", "unknown: no database")}
    return {
        "database": _check(True, "answers", ""),
        "migrations": _check(migrated, "up to date", "the schema is not that of this version"),
    }


def _redis(redis: Redis) -> dict[str, Check]:
    try:
        alive = len(live_schedulers(redis))
    except RedisError:
        away = _check(False, "", "does not answer")
        return {"redis": away, "scheduler": _check(False, "", "unknown: no Redis")}
    return {
        "redis": _check(True, "answers", ""),
        "scheduler": _check(alive > 0, f"{alive} alive", "none is alive"),
    }
