"""Decontamination: training questions that a test question repeats, word for word or nearly."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from adastar_core.records import Observation
from adastar_core.shingles import jaccard, shingles, words

NEAR = 0.8
"""Share of common shingles (Jaccard) from which two questions are near-identical."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of the training part the test part repeats.

    Attributes:
        exact: Training observations whose question, without case and punctuation, is a test question.
        near: Training observations that share at least 80 % of their three-word shingles with a test question.
        dropped: Whether they were dropped from training.
        observation_ids: The training observations concerned.
    """

    exact: int
    near: int
    dropped: bool
    observation_ids: tuple[str, ...]


def overlap(train: Sequence[Observation], test: Sequence[Observation], *, dropped: bool = False) -> Overlap:
    """Compare every training question with every test question.

    Exact for the stated similarity, without comparing all pairs: two sets with Jaccard similarity >= t share an
    item among the ceil((1 - t) * size) + 1 rarest of each, so only those are looked up.
    """
    questions = [_words(one) for one in test]
    spellings = {" ".join(sequence) for sequence in questions}
    sets = [shingles(sequence) for sequence in questions]
    train_sets = [shingles(_words(one)) for one in train]
    frequency = Counter(shingle for one in [*sets, *train_sets] for shingle in one)
    index: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(sets):
        for shingle in _rarest(one, frequency):
            index[shingle].append(position)
    exact = [one.observation_id for one in train if " ".join(_words(one)) in spellings]
    known = set(exact)
    near = [
        one.observation_id
        for one, mine in zip(train, train_sets, strict=True)
        if one.observation_id not in known and _has_near(mine, sets, index, frequency)
    ]
    return Overlap(len(exact), len(near), dropped, (*exact, *near))


def _words(observation: Observation) -> list[str]:
    return words(" ".join([observation.question, *(choice.text for choice in observation.choices)]))


def _rarest(one: frozenset[str], frequency: Counter[str]) -> list[str]:
    count = len(one) - math.ceil(NEAR * len(one)) + 1
    return sorted(one, key=lambda shingle: (frequency[shingle], shingle))[:count]


def _has_near(
    mine: frozenset[str], sets: list[frozenset[str]], index: dict[str, list[int]], frequency: Counter[str]
) -> bool:
    candidates = {position for shingle in _rarest(mine, frequency) for position in index.get(shingle, ())}
    return any(jaccard(mine, sets[position]) >= NEAR for position in candidates)
