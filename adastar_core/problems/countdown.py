"""Countdown: reach a target from given small numbers with + - *, each number used once; generated from a seed.

Most puzzles have several solutions, and every one is right::

    3 4 7 -> 25      question, and prompt
    3*7=21           a calculation takes two numbers and gives one
    21+4=25
    #### 3*7+4       the answer

What makes the data safe to measure on:

* **Splits cannot meet.** Every puzzle, its numbers in order and its target, belongs to one split by a hash that no setting
  changes: 8 of 10 to train, 1 to validation, 1 to test.
* **Few puzzles are capped, not repeated.** All are known: 125 of two numbers, 1,864 of three, 20,387 of four. A
  split takes them in turn and leaves out a size once it is used up.
* **Growth keeps the past.** A split of size k is the first k members of one sequence.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, combinations_with_replacement, islice
from typing import Literal

from pydantic import model_validator

from adastar_core.errors import DataError
from adastar_core.problems.generated import in_turn, split_of
from adastar_core.records import Observation, Split
from adastar_core.settings import Settings, setting
from adastar_core.streams import stream_key
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.expression import ExpressionVerifier
from adastar_core.verifiers.expressions import Expression, Step, combined, number, parse

_FEWEST, _MOST = 2, 4
_NUMBERS = range(1, 10)
LARGEST_TARGET = 99
_STEP = re.compile(r"(?<!\d)(-?\d{1,9})([-+*])(-?\d{1,9})=(-?\d{1,18})")


class CountdownSettings(Settings):
    """Which puzzles are generated, and how many."""

    type: Literal["countdown"] = "countdown"
    train: int = setting(4000, "Training questions", "Puzzles to train on; more may be added later.", ge=1)
    validation: int = setting(300, "Validation questions", "Puzzles that select the checkpoint.", ge=1)
    test: int = setting(600, "Test questions", "Puzzles in the test set.", ge=1)
    max_numbers: int = setting(
        4,
        "Most numbers",
        "Puzzles have 2 to this many numbers, in equal shares until the few of 2 and 3 are used up.",
        ge=_FEWEST,
        le=_MOST,
    )
    seed: int = setting(0, "Data seed", "Chooses the puzzles, independently of the run's seed.", ge=0)
    train_weights: tuple[int, ...] | None = setting(
        None,
        "Training weights",
        "Training questions of 2, 3, ... numbers in each round, e.g. [1, 4, 2]; Default: one of each.",
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> "CountdownSettings":
        weights, sizes = self.train_weights, self.max_numbers - _FEWEST + 1
        if weights is not None and (len(weights) != sizes or min(weights) < 0 or not any(weights)):
            raise ValueError(
                f"train_weights ({list(weights)}) must be {sizes} whole numbers, one per number of numbers from 2 to "
                f"max_numbers ({self.max_numbers}), none negative and not all 0"
            )
        return self


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Numbers in ascending order, and what to reach with them."""

    numbers: tuple[int, ...]
    target: int

    @property
    def question(self) -> str:
        """The puzzle as text, e.g. ``"3 4 7 -> 25"``; also its observation id."""
        return f"{' '.join(map(str, self.numbers))} -> {self.target}"

    @property
    def split(self) -> Split:
        return split_of("countdown split", *self.numbers, self.target)


def rationale(expression: Expression) -> str:
    """Return an expression's calculations, a line each, and the answer line."""
    return "\n".join([*map(str, expression.steps), f"#### {expression}"])


_Last = tuple[tuple[int, ...], int, str, tuple[int, ...], int]
"""A way to reach a value: the numbers and the value of the left side, the sign, and those of the right side."""


@cache
def _reachable(numbers: tuple[int, ...]) -> dict[int, _Last | None]:
    """Return what these numbers, all used, can reach without going below 0, each with the first way found."""
    found: dict[int, _Last | None] = {numbers[0]: None} if len(numbers) == 1 else {}
    for left, right in _parted(numbers):
        for a in _reachable(left):
            for b in _reachable(right):
                for sign, value in (("+", a + b), ("*", a * b), ("-", a - b)):
                    if value >= 0:
                        found.setdefault(value, (left, a, sign, right, b))
    return found


def _parted(numbers: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield every way to part numbers in two, the larger part first; each part in ascending order."""
    for size in range(len(numbers) - 1, 0, -1):
        for places in combinations(range(len(numbers)), size):
            others = (place for place in range(len(numbers)) if place not in places)
            yield tuple(numbers[place] for place in places), tuple(numbers[place] for place in others)


def _solution(numbers: tuple[int, ...], value: int) -> Expression:
    last = _reachable(numbers)[value]
    if last is None:
        return number(value)
    left, a, sign, right, b = last
    return combined(_solution(left, a), sign, _solution(right, b))


@cache
def _puzzles(size: int) -> tuple[Puzzle, ...]:
    """Return all puzzles of so many numbers whose target is in 1 to :data:`LARGEST_TARGET`."""
    return tuple(
        Puzzle(numbers, target)
        for numbers in combinations_with_replacement(_NUMBERS, size)
        for target in sorted(_reachable(numbers))
        if 1 <= target <= LARGEST_TARGET
    )


def _of_size(split: Split, size: int, seed: int) -> Iterator[Puzzle]:
    """Yield a split's puzzles of so many numbers in a seeded random order."""
    mine = (puzzle for puzzle in _puzzles(size) if puzzle.split is split)
    yield from sorted(mine, key=lambda one: stream_key(seed, "countdown", *one.numbers, one.target))


def parse_question(question: str) -> Puzzle:
    """Return the puzzle of a question such as ``3 4 7 -> 25``; raises :class:`ValueError` for any other text."""
    numbers, _, target = question.partition(" -> ")
    return Puzzle(tuple(map(int, numbers.split())), int(target))


def observation_of(puzzle: Puzzle) -> Observation:
    """Return a puzzle with the first solution found; raises :class:`KeyError` where it has none."""
    return Observation(
        puzzle.question,
        puzzle.question,
        _solution(puzzle.numbers, puzzle.target).text,
        difficulty=f"{len(puzzle.numbers)} numbers",
    )


class Countdown:
    """Countdown with checkable calculations, as a :class:`~adastar_core.problems.Problem`."""

    name = "countdown"
    stop: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, settings: CountdownSettings) -> None:
        self._settings = settings
        self.verifier: Verifier = ExpressionVerifier()

    def load(self, split: Split) -> tuple[Observation, ...]:
        """Return the first observations of a split's sequence; fails where it holds too few."""
        settings = self._settings
        size: int = getattr(settings, split.value)
        weights = settings.train_weights if split is Split.TRAIN else None
        chosen = _first(split, settings.max_numbers, settings.seed, size, weights)
        if len(chosen) < size:
            raised = " or raise problem.max_numbers" if settings.max_numbers < _MOST else ""
            raise DataError(
                f"problem.{split.value} is {size}, but only {len(chosen)} puzzles of at most {settings.max_numbers} "
                f"numbers belong to the {split.value} split; lower problem.{split.value} to {len(chosen)}{raised}."
            )
        return chosen

    def everything(self) -> tuple[Observation, ...]:
        return tuple(observation for split in Split for observation in self.load(split))

    def prompt(self, observation: Observation) -> str:
        return f"{observation.question}\n"

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the prompt that also shows one solution: ``3 4 7 -> 25 = 3*7+4``."""
        return f"{observation.question} = {observation.answer}\n"

    def training_prompt(self, observation: Observation) -> str:
        return self.prompt(observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the prompt after solutions of the first training puzzles."""
        shown = _first(Split.TRAIN, self._settings.max_numbers, self._settings.seed, shots)
        worked = [f"{self.prompt(example)}{self.reference(example)}\n" for example in shown]
        return "".join(worked) + self.training_prompt(observation)

    def system(self, observation: Observation) -> None:
        """Return ``None``: the problem has no system message."""

    def reference(self, observation: Observation) -> str:
        """Return one solution with its calculations."""
        expression = parse(observation.answer)
        assert expression is not None
        return rationale(expression)

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        """Return whether the calculations are true and lead from the numbers, each used once, to the target.

        ``None`` where it writes none.
        """
        puzzle = parse_question(observation.question)
        written = _STEP.findall(response.partition("####")[0])
        if not written:
            return None
        left = Counter(puzzle.numbers)
        for a, sign, b, result in written:
            step, used = Step(int(a), sign, int(b)), Counter((int(a), int(b)))
            if not used <= left or step.result != int(result):
                return False
            left = left - used + Counter((step.result,))
        return left == Counter((puzzle.target,))


@cache
def _first(
    split: Split, max_numbers: int, seed: int, size: int, weights: tuple[int, ...] | None = None
) -> tuple[Observation, ...]:
    sources = [_of_size(split, numbers, seed) for numbers in range(_FEWEST, max_numbers + 1)]
    return tuple(observation_of(puzzle) for puzzle in islice(in_turn(sources, weights), size))
