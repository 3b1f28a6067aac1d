"""Which rationales count as near-certain, and how many of them are left out."""

import numpy as np
import pytest

from adastar_core.selection import Selection, Visit, near_certain, thin_certain

ALL_RIGHT = Visit(0, 1, 1, (1,), first_try=True)
NEW = Visit(1, 1, 1, (1,), first_try=True)
SECOND_TRY = Visit(2, 2, 1, (2,), first_try=False)
THREE = Visit(3, 3, 3, (1, 3), first_try=True)
REJECTED = Visit(4, 1, 1, (), first_try=True)
SELECTED = Selection((ALL_RIGHT, NEW, SECOND_TRY, THREE, REJECTED), exhausted=False)


def many(count: int) -> Selection:
    return Selection(tuple(Visit(p, 1, 1, (1,), first_try=True) for p in range(count)), exhausted=False)


def test_certain_is_what_all_attempts_of_two_visits_got_right() -> None:
    assert near_certain(SELECTED, {0, 2, 3, 4, 9}) == [(0, 1), (3, 1), (3, 3)]
    assert near_certain(SELECTED, set()) == []


@pytest.mark.parametrize(("share", "left"), [(0.0, 10), (0.7, 3), (0.29, 8), (0.9, 1), (0.99, 1)])
def test_so_large_a_share_is_left_out_and_the_last_one_never(share: float, left: int) -> None:
    selected = many(10)
    thinned = thin_certain(selected, selected.accepted, share, np.random.default_rng(0))
    assert len(thinned.accepted) == left
    assert set(thinned.accepted) <= set(selected.accepted)
    assert [visit.correct for visit in thinned.visits] == [visit.correct for visit in selected.visits]


def test_only_certain_ones_are_left_out_and_the_stream_decides_which() -> None:
    selected = many(100)
    certain = selected.accepted[:50]
    thinned, again, other = (
        thin_certain(selected, certain, 0.5, np.random.default_rng(seed)).accepted for seed in (1, 1, 2)
    )
    assert set(selected.accepted[50:]) <= set(thinned)
    assert thinned == again != other
