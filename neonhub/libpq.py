"""What PostgreSQL's client library knows; imported only where DATABASE_URL names PostgreSQL."""

from psycopg import pq


def option_names() -> frozenset[str]:
    """The names of the options a connection can have."""
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
