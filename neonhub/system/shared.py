"""What all processes forked from the first one share, loaded before any of them is."""

import sys

from sqlalchemy.orm import configure_mappers

import neonhub.models  # noqa: F401 (what the mappers are of)
from neonhub.config import Settings
from neonhub.database import Database

UNFIT = frozenset({"neonhub.agents", "psycopg", "redis", "sentry_sdk"})
"""Modules that keep what gevent replaces, such as a lock, a queue or `sleep`: a web process that
has them from its parent would stand still in them."""


def load_what_is_shared(settings: Settings) -> None:
    """Make now what each forked process would make for itself: then it is in memory once."""
    Database(settings.database_url).close()  # loads dialect and driver; connects to nothing
    configure_mappers()


def is_fit_for_web() -> bool:
    """Whether gevent can still replace all it has to in a fork of this process."""
    return UNFIT.isdisjoint(sys.modules)
