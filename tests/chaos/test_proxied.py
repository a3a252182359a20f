"""Cells of a system on PostgreSQL and Redis behind proxies."""

from collections.abc import Iterator

import pytest

from tests.chaos.cells import Cell
from tests.chaos.choice import chosen, name_of
from tests.chaos.harness import Harness
from tests.chaos.trial import try_cell


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    """One system for all cells: what one leaves behind meets the next."""
    with Harness(is_proxied=True) as harness:
        yield harness


@pytest.mark.parametrize("choice", chosen(is_proxied=True), ids=name_of)
def test_every_promise_is_kept(harness: Harness, choice: tuple[Cell, int]) -> None:
    cell, seed = choice
    assert try_cell(harness, cell, seed).violations == []
