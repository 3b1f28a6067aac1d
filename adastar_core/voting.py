"""Self-consistency: the answer that most samples give (Wang et al. 2023, arXiv 2203.11171)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adastar_core.store.evaluations import Answer

_SUMMED = ("prompt_tokens", "padded_prompt_tokens", "generated_tokens", "padded_generated_tokens")


def majority(samples: "Sequence[Answer]") -> "Answer":
    """Return the first sample with the most frequent answer, at the cost of all samples.

    Samples without an answer do not vote; among equally frequent answers the one given first wins.

    Args:
        samples: Judged samples of one item, at least one.
    """
    votes = Counter(one.extracted for one in samples if one.extracted is not None)
    winner = votes.most_common(1)[0][0] if votes else None
    chosen = next(one for one in samples if one.extracted == winner)
    return replace(chosen, **{name: sum(getattr(one, name) for one in samples) for name in _SUMMED})
