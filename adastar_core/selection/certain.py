"""Near-certain rationales: those of observations that the model solves each time. What training on fewer of them leaves. Pure.

Training again on what is known costs as much as training on anything else. Certainty is read from attempts that were made
anyway: an observation is near-certain where every attempt of this visit and every one of the visit before it is right. With
one attempt at each visit (``until_correct`` ends with the first success) these are two successes, and some are luck.
"""

from collections.abc import Set
from fractions import Fraction

import numpy as np

from adastar_core.selection.closing import Selection, keep_only

Pairs = list[tuple[int, int]]
"""Rationales as (position, attempt)."""


def near_certain(selected: Selection, solved: Set[int]) -> Pairs:
    """Return the accepted rationales of near-certain observations, in order of visit.

    ``solved`` are the positions whose visit before this one had right attempts alone.
    """
    return [
        (visit.position, attempt)
        for visit in selected.visits
        if visit.correct == visit.attempts and visit.position in solved
        for attempt in visit.accepted
    ]


def thin_certain(selected: Selection, certain: Pairs, share: float, choice: np.random.Generator) -> Selection:
    """Return the selection without ``share`` < 1 of the ``certain`` rationales, rounded down and chosen at random.

    So at least one of them is kept. Visits, attempts and win rates do not change.
    """
    left_out = int(Fraction(str(share)) * len(certain))
    chosen = {certain[place] for place in choice.permutation(len(certain))[:left_out].tolist()}
    return keep_only(selected, set(selected.accepted) - chosen) if chosen else selected
