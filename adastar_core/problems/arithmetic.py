"""Addition of two n-digit numbers with a digit-by-digit scratchpad, generated from a seed.

The first task of the STaR paper, in few characters::

    347+585          question, and prompt
    7+5+0=12         digit + digit + carry = carry and digit, least significant first
    4+8+1=13
    3+5+1=09
    #### 932         the answer

Everything is a function of the settings: nothing is read from disk. What makes the data safe to measure on:

* **Splits cannot meet.** Every unordered pair of numbers belongs to one split, by a hash that no setting
  changes: 8 of 10 pairs to train, 1 to validation, 1 to test. So a+b and b+a never straddle two splits, and
  a model trained on train pairs of one data seed has not seen the test pairs of any other.
* **Small n is capped, not repeated.** There are only 100 one-digit questions. A split takes its additions from
  n = 1, 2, ... max_digits in turn and skips an n once all its pairs are used, so that n is as even as it can be.
* **Growth keeps the past.** A split of size k is the first k members of one endless sequence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Literal

from pydantic import model_validator

from adastar_core.errors import DataError
from adastar_core.problems.generated import GeneratedSettings, in_turn, split_of
from adastar_core.records import Observation, Split
from adastar_core.settings import setting
from adastar_core.streams import stream_key
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.number import NumberVerifier

_FEISTEL_ROUNDS = 4


class ArithmeticSettings(GeneratedSettings):
    """Which additions are generated, and how many."""

    type: Literal["arithmetic"] = "arithmetic"
    train: int = setting(
        8000, "Training questions", "Additions in the training set; more may be added later.", ge=1
    )
    validation: int = setting(
        500, "Validation questions", "Additions in the validation set, which selects the checkpoint.", ge=1
    )
    test: int = setting(1000, "Test questions", "Additions in the test set.", ge=1)
    max_digits: int = setting(
        6,
        "Longest number",
        "Numbers have 1 to this many digits, in equal shares until the few of one digit are used up.",
        ge=1,
        le=12,
    )
    train_weights: tuple[int, ...] | None = setting(
        None,
        "Training weights",
        "Training questions of 1, 2, ... digits in each round, e.g. [4, 4, 2, 1]; Default: one of each.",
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> "ArithmeticSettings":
        weights = self.train_weights
        if weights is not None and (len(weights) != self.max_digits or min(weights) < 0 or not any(weights)):
            raise ValueError(
                f"train_weights ({list(weights)}) must be {self.max_digits} whole numbers, one per number of digits "
                "(max_digits), none negative and not all 0"
            )
        return self


@dataclass(frozen=True, slots=True)
class Addition:
    """The sum ``a + b`` of two numbers of the same number of digits."""

    a: int
    b: int

    @property
    def question(self) -> str:
        """The sum as text, e.g. ``"347+585"``; also its observation id."""
        return f"{self.a}+{self.b}"

    @property
    def digits(self) -> int:
        return len(str(self.a))

    @property
    def rationale(self) -> str:
        """The one correct scratchpad, down to its answer line."""
        lines, carry = [], 0
        for digit_a, digit_b in zip(reversed(str(self.a)), reversed(str(self.b)), strict=True):
            total = int(digit_a) + int(digit_b) + carry
            lines.append(f"{digit_a}+{digit_b}+{carry}={total:02d}")
            carry = total // 10
        return "\n".join([*lines, f"#### {self.a + self.b}"])

    @property
    def split(self) -> Split:
        """The split that this pair of numbers belongs to, in either order."""
        low, high = sorted((self.a, self.b))
        return split_of("addition split", low, high)


def additions(
    split: Split, max_digits: int, seed: int, weights: Sequence[int] | None = None
) -> Iterator[Addition]:
    """Return every addition of a split once, n = 1 ... ``max_digits`` in turn, in the seed's order.

    ``weights`` says how many of each n make a turn; one of each by default. An n without weight does not occur.
    """
    return in_turn([_of_digits(split, digits, seed) for digits in range(1, max_digits + 1)], weights)


def _of_digits(split: Split, digits: int, seed: int) -> Iterator[Addition]:
    """Yield a split's additions of ``digits``-digit numbers in a seeded random order."""
    low = 0 if digits == 1 else 10 ** (digits - 1)
    side = 10**digits - low
    for index in range(side * side):
        a, b = _shuffled(index, side, seed, digits)
        addition = Addition(low + a, low + b)
        if addition.split is split:
            yield addition


def _shuffled(index: int, side: int, seed: int, digits: int) -> tuple[int, int]:
    """Return the pair at ``index`` of a random permutation of all pairs below ``side``, without storing it.

    A Feistel network: each round is a bijection of pairs, so no pair comes twice and none is missed.
    """
    left, right = divmod(index, side)
    for turn in range(_FEISTEL_ROUNDS):
        left, right = right, (left + stream_key(seed, "addition", digits, turn, right)) % side
    return left, right


def parse_question(question: str) -> Addition:
    """Return the addition of a question such as ``12+345``; raises :class:`ValueError` for any other text."""
    a, _, b = question.partition("+")
    return Addition(int(a), int(b))


class Arithmetic:
    """Addition with a checkable scratchpad, as a :class:`~adastar_core.problems.Problem`."""

    name = "arithmetic"
    stop: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, settings: ArithmeticSettings) -> None:
        self._settings = settings
        self.verifier: Verifier = NumberVerifier()

    def load(self, split: Split) -> tuple[Observation, ...]:
        """Return the first observations of a split's endless sequence; fails where it holds too few."""
        settings = self._settings
        size: int = getattr(settings, split.value)
        weights = settings.train_weights if split is Split.TRAIN else None
        chosen = _first(split, settings.max_digits, settings.seed, size, weights)
        if len(chosen) < size:
            raise DataError(
                f"problem.{split.value} is {size}, but only {len(chosen)} additions of at most "
                f"{settings.max_digits} digits belong to the {split.value} split; lower problem.{split.value} "
                f"to {len(chosen)} or raise problem.max_digits."
            )
        return settings.labelled(split, chosen)

    def everything(self) -> tuple[Observation, ...]:
        return tuple(observation for split in Split for observation in self.load(split))

    def prompt(self, observation: Observation) -> str:
        return f"{observation.question}\n"

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the prompt that also shows the sum: ``347+585=932``."""
        return f"{observation.question}={observation.answer}\n"

    def training_prompt(self, observation: Observation) -> str:
        return self.prompt(observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the prompt after the scratchpads of the first training questions, which are always right."""
        settings = self._settings
        shown = _first(Split.TRAIN, settings.max_digits, settings.seed, shots)
        worked = [f"{example.question}\n{parse_question(example.question).rationale}\n" for example in shown]
        return "".join(worked) + self.training_prompt(observation)

    def system(self, observation: Observation) -> None:
        """Return ``None``: the problem has no system message."""

    def reference(self, observation: Observation) -> str:
        """Return the answer alone, which is wrong where the observation is mislabelled."""
        return f"#### {observation.answer}"

    def rationale_is_correct(self, observation: Observation, response: str) -> bool:
        """Return whether the response is the correct scratchpad, character by character."""
        return response == parse_question(observation.question).rationale


@cache
def _first(
    split: Split, max_digits: int, seed: int, size: int, weights: tuple[int, ...] | None = None
) -> tuple[Observation, ...]:
    return tuple(
        Observation(
            addition.question,
            addition.question,
            str(addition.a + addition.b),
            difficulty=str(addition.digits),
        )
        for addition in islice(additions(split, max_digits, seed, weights), size)
    )
