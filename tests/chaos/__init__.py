"""Faults of every kind in a running system, and a judge of what it promised."""
