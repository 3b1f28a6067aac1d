"""Decontamination: training questions that a test question repeats, word for word or nearly."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from adastar_core.problems.repeats import spelling, surroundings
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
    spellings = set(map(spelling, test))
    outlines, train_outlines = list(map(_outline, test)), list(map(_outline, train))
    frequency = Counter(shingle for outline in [*outlines, *train_outlines] for shingle in outline.shingles)
    index: dict[tuple[str, tuple[str, ...]], list[Outline]] = defaultdict(list)
    for observation, outline in zip(test, outlines, strict=True):
        for shingle in _rarest(outline, frequency):
            index[shingle, surroundings(observation)].append(outline)
    exact, near = [], []
    for observation, outline in zip(train, train_outlines, strict=True):
        if spelling(observation) in spellings:
            exact.append(observation.observation_id)
            continue
        around = surroundings(observation)
        keys = ((shingle, around) for shingle in _rarest(outline, frequency))
        candidates = {other for key in keys for other in index.get(key, ())}
        if any(outline.likeness(other) >= NEAR for other in candidates):
            near.append(observation.observation_id)
    return Overlap(len(exact), len(near), dropped, (*exact, *near))


def _outline(observation: Observation) -> Outline:
    texts = [observation.question, *(choice.text for choice in observation.choices)]
    return Outline.of([token for text in texts for token in tokens(text)])


def _rarest(outline: Outline, frequency: Counter[str]) -> list[str]:
    count = len(outline.shingles) - math.ceil(NEAR * len(outline.shingles)) + 1
    return sorted(outline.shingles, key=lambda shingle: (frequency[shingle], shingle))[:count]
