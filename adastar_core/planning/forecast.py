"""What an iteration is expected to take: visits, attempts and tokens, from two assumptions about the model.

How often a model is right, and how long its rationales are, is known only after a run. So both are assumed; the run's
report says what they were.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from adastar_core.compute import StageTokens
from adastar_core.config import RunConfig
from adastar_core.planning.texts import Texts
from adastar_core.selection.luck import Luck

_STEPS = 10**6
_ANSWER = 4.0
"""Tokens of an answer that is asked for again (``filter.consistent``, ``filter.needed``); the rejected are not known, nor counted."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a forecast assumes: ``acceptance`` is alpha, the share of visits with accepted rationales, (0, 1].

    ``rationale_tokens`` is the mean of a rationale with EOS; default: half of the longest allowed. ``accepted_tokens`` is that
    of an accepted one; default: the same.
    """

    acceptance: float = 0.5
    rationale_tokens: float | None = None
    accepted_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """An iteration as expected: m visited observations, attempts, trained rationales, and their tokens."""

    observations: int
    attempts: int
    examples: int
    tokens: StageTokens


def forecast(
    config: RunConfig,
    iteration: int,
    pool: int,
    texts: Texts,
    assumptions: Assumptions,
    attempts_each: int,
    options: int = 0,
) -> Forecast:
    """Return what an iteration takes of a pool of so many observations, with at most ``attempts_each`` at one.

    ``options`` are among how many answers a guess at one is; 0 where they are open.
    """
    from_model = config.rationales == "model"
    acceptance = assumptions.acceptance if from_model else 1.0
    made, accepted = per_visit(config, acceptance, attempts_each, options)
    beta = config.beta(iteration)
    visits = config.rules().visits(pool, accepted, beta)
    found = visits * accepted
    kept = min(found, beta) if config.trains_up_to_beta() else found
    examples = max(kept, beta) if config.trainer.on_exhausted == "repeat" else kept
    length = assumptions.rationale_tokens or config.generator.max_new_tokens / 2
    attempts = visits * made if from_model else 0.0
    later = texts.hinted_prompt if config.rationalize else texts.prompt
    read = visits * texts.prompt + (attempts - visits) * later if from_model else 0.0
    trained = texts.training_prompt + (
        (assumptions.accepted_tokens or length) if from_model else texts.reference
    )
    again = float(config.filter.consistent) + config.filter.needed
    read += found * (
        again * texts.prompt + config.filter.consistent * (assumptions.accepted_tokens or length)
    )
    tokens = StageTokens(
        prompt_tokens=round(read),
        generated_tokens=round(attempts * length + again * found * _ANSWER),
        train_tokens=round(examples * trained),
    )
    return Forecast(visits, round(attempts), round(examples), tokens)


def per_visit(
    config: RunConfig, acceptance: float, attempts_each: int, options: int = 0
) -> tuple[float, float]:
    """Return the attempts and the accepted rationales of one visit, if attempts are right independently of each other.

    ``options`` are among how many answers a guess is, for ``filter.guessing``.
    """
    rules = config.rules()
    if rules.until_correct:
        return acceptance / (1 - (1 - acceptance) ** (1 / attempts_each)), acceptance
    level = config.filter.guessing
    luck = None if level is None else Luck(level, [options])
    accepted = [
        0 if luck and luck.explains(0, right, attempts_each) else rules.capped(right)
        for right in range(attempts_each + 1)
    ]
    rate = _rate(acceptance, accepted)
    return attempts_each, sum(map(mul, accepted, _chances(rate, attempts_each)))


def _rate(acceptance: float, accepted: Sequence[float]) -> float:
    """Return how often an attempt is right where this share of visits gives an accepted rationale.

    ``accepted[n]`` rationales are accepted of a visit with n right attempts.
    """

    def share(rate: float) -> float:
        return sum(
            chance for chance, kept in zip(_chances(rate, len(accepted) - 1), accepted, strict=True) if kept
        )

    return bisect_left(range(_STEPS), acceptance, key=lambda step: share(step / _STEPS)) / _STEPS


def _chances(rate: float, attempts: int) -> list[float]:
    """Return how likely each number of right attempts is."""
    return [
        math.comb(attempts, right) * rate**right * (1 - rate) ** (attempts - right)
        for right in range(attempts + 1)
    ]
