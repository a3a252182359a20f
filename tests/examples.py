"""How many examples properties are tried with."""

import os

IS_DEEP = bool(os.environ.get("NEONHUB_TEST_DEEP"))
"""Whether this is `make test-deep`."""

EXAMPLES = 200_000 if IS_DEEP else 2_000
"""For a property that costs microseconds; costlier ones take a part of it."""
