"""What generated problems share: sources in turn, their seed, and training data of which a known share has a wrong reference.

Real training data have such labels, and there nobody knows which. Here the settings and an observation's id decide whether
it is mislabelled, so a larger share mislabels the same observations and more. A wrong reference has as many digits as the
right one and the same first one, but another digit in one place; a single digit is another one. Validation and test are
always right.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from adastar_core.records import Observation, Split
from adastar_core.settings import Settings, setting
from adastar_core.streams import rng, stream_key

_STREAMS = 1 << 64
_SHARES = 10
_SPLIT_OF_SHARE = {0: Split.VALIDATION, 1: Split.TEST}
T = TypeVar("T")


class GeneratedSettings(Settings):
    """The seed that chooses the data, and how many of the training references are wrong."""

    seed: int = setting(0, "Data seed", "Chooses the questions, independently of the run's seed.", ge=0)
    wrong_references: float = setting(
        0.0,
        "Wrong references",
        "Share of the training questions, 0 to 0.5, whose reference answer is wrong on purpose.",
        ge=0,
        le=0.5,
        added=True,
    )

    def is_mislabelled(self, observation: Observation) -> bool:
        """Return whether a training observation has a wrong reference on purpose."""
        key = stream_key(self.seed, "mislabelled", observation.observation_id)
        return key < self.wrong_references * _STREAMS

    def labelled(self, split: Split, observations: Iterable[Observation]) -> tuple[Observation, ...]:
        """Return a split's observations, of right answers, with the references that a run has."""
        if split is not Split.TRAIN or not self.wrong_references:
            return tuple(observations)
        return tuple(
            replace(one, answer=_wrong(one, self.seed)) if self.is_mislabelled(one) else one
            for one in observations
        )


def split_of(purpose: str, *parts: int) -> Split:
    """Return the split of a question by its numbers, whatever the settings: 8 of 10 to train, 1 to validation, 1 to test."""
    return _SPLIT_OF_SHARE.get(stream_key(0, purpose, *parts) % _SHARES, Split.TRAIN)


def in_turn(sources: Sequence[Iterator[T]], weights: Sequence[int] | None = None) -> Iterator[T]:
    """Yield what sources give, so many of each in a turn as its weight (one by default), without those that are used up."""
    turns = weights or [1] * len(sources)
    left = [(source, weight) for source, weight in zip(sources, turns, strict=True) if weight]
    while left:
        for source in tuple(left):
            turn = list(islice(*source))
            yield from turn
            if len(turn) < source[1]:
                left.remove(source)


def _wrong(observation: Observation, seed: int) -> str:
    """Return the answer, a whole number without a sign, with one digit changed; a single one never to 0."""
    answer = observation.answer
    draw = rng(seed, "wrong reference", observation.observation_id)
    place = int(draw.integers(1, len(answer))) if len(answer) > 1 else 0
    others = [digit for digit in "0123456789" if digit != answer[place] and (place or digit != "0")]
    return f"{answer[:place]}{others[draw.integers(len(others))]}{answer[place + 1 :]}"
