"""The job of the other side: RQ's least."""


def nothing() -> None:
    """Return at once."""
