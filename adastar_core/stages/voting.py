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
    """Return the first decided sample with the most frequent answer, at the cost of all samples.

    An undecided sample has no vote: it was cut off, or its answer can be read in two ways. Neither has one that declares
    no answer. Among equally frequent answers the one that a vote was cast for first wins. Without any vote the item has
    no answer, and is wrong if some sample is, else undecided.

    Args:
        samples: Judged samples of one item in the order of their numbers, at least one.
    """
    decided = [one for one in samples if one.outcome is not Outcome.UNDECIDED]
    votes = Counter(one.extracted for one in decided if one.extracted is not None)
    winner = votes.most_common(1)[0][0] if votes else None
    chosen = next((one for one in decided if one.extracted == winner), samples[0])
    return replace(chosen, **{name: sum(getattr(one, name) for one in samples) for name in _SUMMED})
