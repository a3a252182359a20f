"""NeonHub: runs recurring AI agents on time, once, and lets you watch."""

__version__ = "0.1.0"
