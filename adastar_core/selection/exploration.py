"""B-STaR's balance score: how well a temperature and a number of attempts balance exploration and exploitation.

Source: B-STaR (arXiv 2412.17256), section 3, which chooses the temperature and the reward's threshold at a fixed K. With
outcome verification alone there is no threshold: we count every attempt as selected, so that the score of an observation is
min(n' / n*, 1) n' / n, with n' distinct right responses among n attempts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from adastar_core.settings import Settings, method_setting, setting


class ExplorationSettings(Settings):
    """Whether the balance score chooses the temperature, or temperature and K, before each iteration."""

    control: Literal["fixed", "temperature", "balance"] = method_setting(
        "fixed",
        "Control",
        "Keep temperature and K; choose the temperature by B-STaR's balance score each iteration; or (balance) both.",
    )
    temperatures: tuple[float, ...] = setting(
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1), "Temperatures", "The ones to choose from.", min_length=1
    )
    wanted: int = setting(6, "Wanted (n*)", "Number of distinct right responses that is enough.", ge=1)
    observations: int = setting(
        32, "Observations", "Number of observations that the score is measured on.", ge=1
    )


@dataclass(frozen=True, slots=True)
class Control:
    """What an iteration samples with: the temperature, K, and the score that chose them."""

    temperature: float
    attempts: int
    score: float


Tried = Sequence[Sequence[str | None]]
"""By observation, its responses in order of attempt; ``None`` for those that are not right."""


def balance_score(tried: Tried, attempts: int, wanted: int) -> Fraction:
    """Return the mean balance score of at least one observation; n is ``attempts``, n* ``wanted``."""
    total = Fraction(0)
    for responses in tried:
        distinct = len({response for response in responses[:attempts] if response is not None})
        total += min(Fraction(distinct, wanted), Fraction(1)) * Fraction(distinct, attempts)
    return total / len(tried)


def choose_control(by_temperature: Mapping[float, Tried], attempts: Sequence[int], wanted: int) -> Control:
    """Return the temperature, and the K among ``attempts``, with the best score; among equals the lowest of both."""
    score, temperature, k = max(
        (balance_score(tried, k, wanted), -temperature, -k)
        for temperature, tried in by_temperature.items()
        for k in attempts
    )
    return Control(-temperature, -k, float(score))
