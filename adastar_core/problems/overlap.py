"""Decontamination: training questions that a test question repeats, word for word or nearly."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from adastar_core.problems.repeats import spelling
from adastar_core.records import Observation, Split
from adastar_core.shingles import Outline, tokens

NEAR = 0.8
"""Share of common shingles (Jaccard) from which two questions are near-identical."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of the training part the test part repeats.

    Attributes:
        exact: Training observations whose question, without case and the punctuation of prose, is a test question.
        near: Training observations that have the numbers and symbols of a test question, and share at least 80 % of their
            three-word shingles with it.
        dropped: Whether they were dropped from training.
        observation_ids: The training observations concerned.
    """

    exact: int
    near: int
    dropped: bool
    observation_ids: tuple[str, ...]

    def notes(self, split: Split) -> tuple[str, ...]:
        """Return a sentence on what this split repeats of training; none where it repeats nothing."""
        if not self.exact and not self.near:
            return ()
        remedy = "; problem.drop_overlap drops them" if split is Split.TEST else ""
        return (
            f"The {split} part repeats {self.exact:,} training questions word for word and {self.near:,} nearly; "
            f"{'they are dropped' if self.dropped else 'they are kept' + remedy}.",
        )


def overlap(train: Sequence[Observation], test: Sequence[Observation], *, dropped: bool = False) -> Overlap:
    """Compare every training question with every test question.

    Exact for the stated similarity, without comparing all pairs: two sets with Jaccard similarity >= t share an
    item among the ceil((1 - t) * size) + 1 rarest of each, so only those are looked up.
    """
    spellings = {spelling(one) for one in test}
    outlines = [_outline(one) for one in test]
    train_outlines = [_outline(one) for one in train]
    frequency = Counter(shingle for one in [*outlines, *train_outlines] for shingle in one.shingles)
    index: dict[str, list[Outline]] = defaultdict(list)
    for outline in outlines:
        for shingle in _rarest(outline, frequency):
            index[shingle].append(outline)
    exact = [one.observation_id for one in train if spelling(one) in spellings]
    known = set(exact)
    near = [
        one.observation_id
        for one, mine in zip(train, train_outlines, strict=True)
        if one.observation_id not in known and _has_near(mine, index, frequency)
    ]
    return Overlap(len(exact), len(near), dropped, (*exact, *near))


def _outline(observation: Observation) -> Outline:
    texts = [observation.question, *(choice.text for choice in observation.choices)]
    return Outline.of([token for text in texts for token in tokens(text)])


def _rarest(one: Outline, frequency: Counter[str]) -> list[str]:
    count = len(one.shingles) - math.ceil(NEAR * len(one.shingles)) + 1
    return sorted(one.shingles, key=lambda shingle: (frequency[shingle], shingle))[:count]


def _has_near(mine: Outline, index: dict[str, list[Outline]], frequency: Counter[str]) -> bool:
    candidates = {other for shingle in _rarest(mine, frequency) for other in index.get(shingle, ())}
    return any(mine.likeness(other) >= NEAR for other in candidates)
