"""Scheduling without services."""
