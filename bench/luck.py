"""Compare what keeps lucky rationales out of D+: class balance, the filter's rule on guessing, both, and neither.

A simulation without a model. A model knows a share of the questions and is usually right there. Everywhere else, and when
its reasoning fails, it guesses. A right rationale that came of a guess is lucky. Every random choice has its own stream,
and what is accepted is decided by the program's own functions.

Run it:  python bench/luck.py                                    (a minute)
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import run, save, show

from adastar_core.selection import Judged, Rules, Selection, balance, close
from adastar_core.selection.luck import Luck
from adastar_core.selection.rules import WholePool
from adastar_core.streams import rng

QUESTIONS, KNOWN, RELIABLE, LEVEL = 4_000, 0.3, 0.8, 0.05


@dataclass(frozen=True)
class Scene:
    """How a model guesses.

    Attributes:
        preferred: Share of guesses that name the first option, at any question; the others share the rest.
        stubborn: Share of guesses that repeat the question's first guess.
    """

    name: str
    options: int
    attempts: int
    preferred: float
    stubborn: float = 0.0


@dataclass(frozen=True)
class Figure:
    """D+ as a mean over seeds.

    Attributes:
        lucky: Share of its rationales that came of a guess, in %.
        sound_per_100: Its other rationales, per 100 attempts.
        largest_class: Share of its most frequent class, in %.
    """

    scene: str
    options: int
    attempts: int
    rule: str
    lucky: float
    per_100_attempts: float
    sound_per_100: float
    largest_class: float


SCENES = (
    Scene("even guesses", 5, 4, 1 / 5),
    Scene("even guesses", 4, 4, 1 / 4),
    Scene("even guesses", 4, 8, 1 / 4),
    Scene("even guesses", 3, 4, 1 / 3),
    Scene("even guesses", 2, 5, 1 / 2),
    Scene("even guesses", 2, 10, 1 / 2),
    Scene("one answer preferred, 60 %", 3, 4, 0.6),
    Scene("one answer preferred, 80 %", 3, 4, 0.8),
    Scene("80 % repeat the first guess", 4, 4, 1 / 4, stubborn=0.8),
)
RULES = ("neither", "balance", "guessing", "both")


def main(*, seeds: int = 5, json: Path | None = None) -> None:
    """Print the table: shares in %, over so many seeds."""
    figures = [figure(scene, rule, range(seeds)) for scene in SCENES for rule in RULES]
    show("Lucky rationales in D+, by what keeps them out", figures)
    if json is not None:
        save(json, figures)


def figure(scene: Scene, rule: str, seeds: Sequence[int]) -> Figure:
    found = np.mean([measured(scene, rule, seed) for seed in seeds], axis=0).round(1).tolist()
    return Figure(scene.name, scene.options, scene.attempts, rule, *found)


def measured(scene: Scene, rule: str, seed: int) -> tuple[float, ...]:
    """Return the figures of one pass over all questions."""
    references = rng(seed, "references").integers(scene.options, size=QUESTIONS)
    right, lucky = attempts_of(scene, references, seed)
    results = {
        position: [Judged(k + 1, hinted=False, right=bool(hit)) for k, hit in enumerate(row)]
        for position, row in enumerate(right)
    }
    luck = Luck(LEVEL, [scene.options] * QUESTIONS) if rule in ("guessing", "both") else None
    rules = Rules(scene.attempts, False, False, True, stop=WholePool(), luck=luck)
    selected = close(range(QUESTIONS), results, rules, beta=0)
    if rule in ("balance", "both"):
        selected = balance(
            selected, lambda position: str(references[position]), rng(seed, "balance classes", 1)
        )
    return shares(selected, references, lucky)


def attempts_of(scene: Scene, references: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which attempts are right, and which of these by a guess; both of shape (questions, attempts)."""
    shape = (QUESTIONS, scene.attempts)
    known = rng(seed, "known").random(QUESTIONS) < KNOWN
    reasoned = known[:, None] & (rng(seed, "reasoning").random(shape) < RELIABLE)
    rest = (1 - scene.preferred) / (scene.options - 1)
    weights = [scene.preferred, *[rest] * (scene.options - 1)]
    guesses = rng(seed, "guesses").choice(scene.options, p=weights, size=shape)
    repeated = rng(seed, "repeats").random(shape) < scene.stubborn
    guesses = np.where(repeated, guesses[:, :1], guesses)
    hit = guesses == references[:, None]
    return reasoned | hit, ~reasoned & hit


def shares(selected: Selection, references: np.ndarray, lucky: np.ndarray) -> tuple[float, ...]:
    accepted = selected.accepted
    by_luck = sum(bool(lucky[position, attempt - 1]) for position, attempt in accepted)
    largest = max(Counter(int(references[position]) for position, _ in accepted).values())
    each, made = 100 / len(accepted), 100 / lucky.size
    return each * by_luck, made * len(accepted), made * (len(accepted) - by_luck), each * largest


if __name__ == "__main__":
    run(main, __doc__)
