"""Pruning, on both databases."""
