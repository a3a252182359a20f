"""How many examples properties are tried with."""

import os

EXAMPLES = 200_000 if os.environ.get("NEONHUB_TEST_DEEP") else 2_000
"""For a property that costs microseconds; costlier ones take a part of it."""
