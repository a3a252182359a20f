"""`python -m neonhub ROLE`: one role of the fleet, or a task, as the container image starts it."""

import os
import sys

ROLES = {
    "web": ["-m", "workers.web"],
    "scheduler": ["-m", "workers.scheduler"],
    "workers": ["-m", "workers.pool"],
    "all": ["-m", "app"],
    "health": ["-m", "workers.health"],
    "prune": ["-m", "workers.prune"],
}
"""What the interpreter is given for each role."""


def command(arguments: list[str]) -> list[str] | None:
    """Return the command of a role, its further arguments included; None if there is no such."""
    if not arguments or arguments[0] not in ROLES:
        return None
    return [sys.executable, *ROLES[arguments[0]], *arguments[1:]]


def main() -> None:
    """Become the role's process."""
    role = command(sys.argv[1:])
    if role is None:
        sys.exit(f"usage: python -m neonhub {{{','.join(ROLES)}}}")
    os.execv(sys.executable, role)


if __name__ == "__main__":
    main()
