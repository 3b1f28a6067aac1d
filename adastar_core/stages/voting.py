"""Self-consistency: the answer that most samples give (Wang et al. 2023, arXiv 2203.11171)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adastar_core.records import Outcome

if TYPE_CHECKING:
    from adastar_core.store.evaluations import Answer

VERSION = "voting/2"
"""Part of what an evaluation of several samples is; raise it when another sample would be chosen."""
_SUMMED = ("prompt_tokens", "padded_prompt_tokens", "generated_tokens", "padded_generated_tokens")


def majority(samples: "Sequence[Answer]") -> "Answer":
    """Return an item's first decided sample with the most frequent answer, at the cost of all samples.

    A sample has no vote if it is undecided (it was cut off, or its answer can be read in two ways) or declares no answer.
    Among equally frequent answers the one with the earliest vote wins. Without any vote the item has no answer; it is
    wrong if some sample is, else undecided.
    """
    decided = [sample for sample in samples if sample.outcome is not Outcome.UNDECIDED]
    votes = Counter(sample.extracted for sample in decided if sample.extracted is not None)
    winner = votes.most_common(1)[0][0] if votes else None  # a Counter keeps the order of first votes
    chosen = next((sample for sample in decided if sample.extracted == winner), samples[0])
    return replace(chosen, **{name: sum(getattr(sample, name) for sample in samples) for name in _SUMMED})
