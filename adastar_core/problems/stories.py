"""Arithmetic stories of one to three steps, generated from a seed: a problem within reach of a small pre-trained model.

::

    A bus leaves the station with 24 passengers. At the market 9 people get off.
    Then 13 pupils get on at the school. How many passengers are on the bus now?

Difficulty is known (steps, and digits of the numbers), guessing does not pay, and the steps of a rationale can be checked.
What makes the data safe to measure on:

* **Splits cannot meet.** The numbers of a story belong to one split by a hash that no setting changes: 7 of 10 to train, 1
  to validation, 1 to test, 1 to the worked examples, in whatever words and whatever is done to them.
* **New wordings are measured apart.** Half of the test questions are of scenes that no other split has. Their difficulty
  ends with ``new story``, so every report shows their accuracy by itself.
* **Growth keeps the past.** A split of size k is the first k members of one endless sequence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from typing import Literal

import numpy as np

from adastar_core.errors import DataError
from adastar_core.problems.generated import GeneratedSettings
from adastar_core.problems.prompts import Exemplar, answered, question, stops, worked
from adastar_core.problems.scenes import KNOWN, NAMES, UNSEEN, Scene
from adastar_core.problems.template import Template
from adastar_core.records import Observation, Split
from adastar_core.settings import PromptTemplate, setting
from adastar_core.streams import rng, stream_key
from adastar_core.verifiers.number import NumberVerifier

_SHARES = 10
_EXEMPLAR = "exemplar"
_PART_OF_SHARE: dict[int, str] = {0: Split.VALIDATION, 1: Split.TEST, 2: _EXEMPLAR}
_MOST_TIMES = 5
_DRAWS_BEFORE_GIVING_UP = 2000
_EXEMPLARS = 8
_BALANCED = 4
"""A seed whose first exemplars have every sign, none of them mostly: small models copy what they see most."""
_EQUATION = re.compile(r"(\d+)\s*([-+*×x−])\s*(\d+)\s*=\s*(\d+)")
_SIGNS = {"×": "*", "x": "*", "−": "-"}


class StoriesSettings(GeneratedSettings):
    """Which stories are generated, and how many."""

    type: Literal["stories"] = "stories"
    train: int = setting(4000, "Training questions", "Stories to train on; more may be added later.", ge=1)
    validation: int = setting(300, "Validation questions", "Stories that select the checkpoint.", ge=1)
    test: int = setting(600, "Test questions", "Half of them in scenes that training does not have.", ge=1)
    max_steps: int = setting(
        2, "Most steps", "Calculations that a story needs: 1 to this many, in equal shares.", ge=1, le=3
    )
    max_digits: int = setting(
        2, "Longest number", "Numbers have 1 to this many digits, in equal shares.", ge=1, le=4
    )
    shots: int = setting(5, "Exemplars", "Worked stories before a generation prompt.", ge=0, le=_EXEMPLARS)
    prompt: PromptTemplate | None = setting(
        None, "Prompt", "Text with {question}, in generation, training and evaluation. Default: Q: … A:."
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the number of things: ``+ 7``, ``- 3`` or ``* 2``."""

    sign: str
    number: int

    def applied(self, before: int) -> int:
        match self.sign:
            case "+":
                return before + self.number
            case "-":
                return before - self.number
            case _:
                return before * self.number


@dataclass(frozen=True, slots=True)
class Story:
    """So many things in the beginning, and what becomes of them."""

    start: int
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """The numbers and what is done to them, e.g. ``24-9+13``."""
        return f"{self.start}{''.join(f'{step.sign}{step.number}' for step in self.steps)}"

    @property
    def values(self) -> list[int]:
        """How many things there are at first and after every step."""
        values = [self.start]
        for step in self.steps:
            values.append(step.applied(values[-1]))
        return values

    @property
    def rationale(self) -> str:
        """The calculations: ``24 - 9 = 15. 15 + 13 = 28.`` for example."""
        return self.rationale_to(self.values[-1])

    def rationale_to(self, result: int) -> str:
        """Return the calculations with ``result`` as that of the last one, whether or not it is right."""
        values = [*self.values[:-1], result]
        pairs = zip(self.steps, values, values[1:], strict=False)
        return " ".join(f"{before} {step.sign} {step.number} = {after}." for step, before, after in pairs)

    @property
    def part(self) -> str:
        """The split that it belongs to, or ``exemplar``."""
        numbers = (self.start, *(step.number for step in self.steps))
        return _PART_OF_SHARE.get(stream_key(0, "story split", *numbers) % _SHARES, Split.TRAIN)


def _told(story: Story, scene: Scene, draw: np.random.Generator) -> str:
    """Return a story in the words of a scene, none twice as long as there are others."""
    name = NAMES[draw.integers(len(NAMES))]
    ways = {"+": scene.more, "-": scene.fewer, "*": (scene.times,)}
    said = [(scene.opening, story.start)]
    for step in story.steps:
        ways_left = [way for way in ways[step.sign] if way not in dict(said)] or ways[step.sign]
        said.append((ways_left[draw.integers(len(ways_left))], step.number))
    return " ".join(wording.format(name=name, n=number) for wording, number in [*said, (scene.asked, 0)])


def _drawn(steps: int, digits: int, scene: Scene, draw: np.random.Generator) -> Story | None:
    """Return a story in which something is always left; ``None`` where what was drawn is none."""
    low, high = max(2, 10 ** (digits - 1)), 10**digits
    value = start = int(draw.integers(low, high))
    done: list[Step] = []
    for _ in range(steps):
        sign = "+-*"[draw.integers(3 if scene.times else 2)]
        number = int(draw.integers(2, _MOST_TIMES + 1) if sign == "*" else draw.integers(low, high))
        step = Step(sign, number)
        value = step.applied(value)
        if value < 1 or (sign == "*" and step.sign in [earlier.sign for earlier in done]):
            return None
        done.append(step)
    return Story(start, tuple(done))


def stories(part: str, max_steps: int, max_digits: int, seed: int) -> Iterator[Observation]:
    """Yield stories of a split, or for worked examples, without end, of every number of steps and digits in turn, none twice.

    Raises:
        DataError: A kind of story is used up.
    """
    kinds = [(steps, digits) for steps in range(1, max_steps + 1) for digits in range(1, max_digits + 1)]
    asked: set[str] = set()
    for place in count():
        steps, digits = kinds[place % len(kinds)]
        new = part == Split.TEST and place // len(kinds) % 2 == 1
        for attempt in range(_DRAWS_BEFORE_GIVING_UP):
            draw = rng(seed, "story", str(part), place, attempt)
            scenes = UNSEEN if new else KNOWN
            scene = scenes[draw.integers(len(scenes))]
            story = _drawn(steps, digits, scene, draw)
            if story is None or story.part != part:
                continue
            text = _told(story, scene, draw)
            if text not in asked:
                break
        else:
            raise DataError(
                f"problem.{part}: there are no more than {place} stories of these kinds. Lower it, or raise "
                "problem.max_digits."
            )
        asked.add(text)
        difficulty = (
            f"{steps} step{'s' * (steps > 1)}, {digits} digit{'s' * (digits > 1)}{', new story' * new}"
        )
        yield Observation(f"{part}-{place}:{story.key}", text, str(story.values[-1]), (), difficulty)


class Stories:
    """Arithmetic stories, as a :class:`~adastar_core.problems.Problem`."""

    name = "stories"
    notes: tuple[str, ...] = ()

    def __init__(self, settings: StoriesSettings) -> None:
        self._settings = settings
        self.verifier = NumberVerifier()
        self._template = None if settings.prompt is None else Template(settings.prompt)
        self.stop = stops(self._template)

    def load(self, split: Split) -> tuple[Observation, ...]:
        settings = self._settings
        size: int = getattr(settings, split.value)
        chosen = _first(split, settings.max_steps, settings.max_digits, settings.seed, size)
        return settings.labelled(split, chosen)

    def everything(self) -> tuple[Observation, ...]:
        return tuple(observation for split in Split for observation in self.load(split))

    def prompt(self, observation: Observation) -> str:
        return self._worked(self._settings.shots) + self.training_prompt(observation)

    def hinted_prompt(self, observation: Observation) -> str:
        return self._worked(self._settings.shots, hinted=True) + question(
            observation, self._template, hinted=True
        )

    def training_prompt(self, observation: Observation) -> str:
        return question(observation, self._template)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        return self._worked(shots) + self.training_prompt(observation)

    def system(self, observation: Observation) -> None:
        """Return ``None``: the problem has no system message."""

    def reference(self, observation: Observation) -> str:
        """Return calculations that lead to the reference answer: a wrong one comes from a wrong last calculation."""
        told = _story_of(observation).rationale_to(int(observation.answer))
        rationale = answered(self.training_prompt(observation), told)
        return f"{rationale}{self.verifier.declare(observation)}"

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        """Return whether all equations of a response are true, and those of the reference among them, in order.

        ``None`` where it writes no equation. True ones do not lead to a wrong reference.
        """
        written = [
            (int(a), _SIGNS.get(sign, sign), int(b), int(c)) for a, sign, b, c in _EQUATION.findall(response)
        ]
        if not written:
            return None
        results = iter(c for _, _, _, c in written)
        story = _story_of(observation)
        in_order = all(value in results for value in story.values[1:])
        true = all(Step(sign, b).applied(a) == c for a, sign, b, c in written)
        return in_order and true and observation.answer == str(story.values[-1])

    def _worked(self, shots: int, *, hinted: bool = False) -> str:
        return "".join(
            worked(self.verifier, one, self._template, hinted=hinted) for one in _exemplars()[:shots]
        )


def _story_of(observation: Observation) -> Story:
    start, *steps = re.findall(r"[-+*]?\d+", observation.observation_id.partition(":")[2])
    return Story(int(start), tuple(Step(step[0], int(step[1:])) for step in steps))


@cache
def _first(split: Split, max_steps: int, max_digits: int, seed: int, size: int) -> tuple[Observation, ...]:
    return tuple(islice(stories(split, max_steps, max_digits, seed), size))


@cache
def _exemplars() -> tuple[Exemplar, ...]:
    """Return worked stories, the same for all settings: of data of their own, of one and two steps in turn."""
    chosen = islice(stories(_EXEMPLAR, 2, 2, _BALANCED), _EXEMPLARS)
    return tuple(Exemplar(observation, _story_of(observation).rationale) for observation in chosen)
