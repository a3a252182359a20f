"""How long a retry waits."""


def backoff_ms(failures: int, base_ms: int, max_ms: int) -> int:
    """Milliseconds from the n-th failure to the next attempt: base · 2^(n-1), capped.

    Args:
        failures: Attempts that failed so far, at least 1.
    """
    doublings = min(failures - 1, 62)  # the cap is reached long before; keeps the number small
    return min(max_ms, base_ms << doublings)
