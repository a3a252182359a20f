"""The rules of time and state, without clock and without I/O."""
