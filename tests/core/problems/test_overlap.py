"""Decontamination finds exactly the pairs that comparing all of them finds."""

from hypothesis import given
from hypothesis import strategies as st

from adastar_core.problems.overlap import NEAR, overlap
from adastar_core.records import Observation
from adastar_core.shingles import jaccard, shingles, words

texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=1, max_size=9).map(" ".join)


def observations(questions: list[str], prefix: str) -> list[Observation]:
    return [Observation(f"{prefix}{number}", question, "1") for number, question in enumerate(questions)]


@given(st.lists(texts, max_size=12), st.lists(texts, max_size=12))
def test_it_agrees_with_comparing_all_pairs(train: list[str], test: list[str]) -> None:
    found = overlap(observations(train, "t"), observations(test, "x"))
    exact = [f"t{i}" for i, one in enumerate(train) if one in test]
    near = [
        f"t{i}"
        for i, one in enumerate(train)
        if one not in test
        and any(jaccard(shingles(words(one)), shingles(words(other))) >= NEAR for other in test)
    ]
    assert found.observation_ids == (*exact, *near)
    assert (found.exact, found.near) == (len(exact), len(near))


def test_case_and_punctuation_do_not_hide_a_repetition() -> None:
    found = overlap(observations(["What, exactly, IS it?"], "t"), observations(["what exactly is it"], "x"))
    assert (found.exact, found.near) == (1, 0)
