"""Identifiers: their layout, their order, and that none comes twice."""

import uuid

from neonhub.ids import new_id, new_ids


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_made_together_are_sorted_and_differ() -> None:
    ids = new_ids(1000)
    assert ids == sorted(set(ids)) and len(ids) == 1000
    assert {uuid.UUID(each).version for each in ids} == {7}


def test_all_other_bits_are_random() -> None:
    numbers = [int(each, 16) for each in new_ids(1000)]
    random = (1 << 76) - 1 ^ (0b11 << 62)  # what follows the version, without the variant
    seen_set, seen_unset = 0, 0
    for number in numbers:
        seen_set |= number & random
        seen_unset |= ~number & random
    assert (seen_set, seen_unset) == (random, random)


def test_no_ids_are_none() -> None:
    assert new_ids(0) == []
