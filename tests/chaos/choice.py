"""Which cells a run tries, and with which seeds."""

import os

from tests.chaos.cells import Cell, cells

SAMPLE = 20
"""Cells of each kind of system in `make test`."""

SEEDS = int(os.environ.get("NEONHUB_CHAOS_SEEDS", "0"))
"""How often `make chaos` tries every cell; 0 for the sample, once."""


def chosen(*, is_proxied: bool) -> list[tuple[Cell, int]]:
    """The cells of this run with their seeds: all of them, or a sample spread over the matrix."""
    every = cells(is_proxied=is_proxied)
    if SEEDS:
        return [(cell, seed) for seed in range(SEEDS) for cell in every]
    step = len(every) / SAMPLE
    return [(every[int(number * step)], 0) for number in range(SAMPLE)]


def name_of(chosen: object) -> str | None:
    """What a test of a cell is called."""
    match chosen:
        case (Cell(name=name), int(seed)):
            return f"{name}-{seed}"
    return None
