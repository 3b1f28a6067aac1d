"""Whether an observation's attempts are right more often than guessing explains: an exact binomial test. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb


@dataclass(frozen=True, slots=True)
class Luck:
    """The test, for the observations of one iteration.

    Attributes:
        level: Largest probability with which guessing may reach what is accepted.
        options: Among how many answers a guess at each position is; 0 where they are open, and nothing is luck.
    """

    level: float
    options: Sequence[int]

    def explains(self, position: int, right: int, attempts: int) -> bool:
        """Return whether so many of an observation's attempts are right as guessing would get."""
        options = self.options[position]
        return bool(right and options) and chance(right, attempts, options) > self.level

    def reason(self, position: int, right: int, attempts: int) -> str:
        """Return why the observation's right rationales are rejected."""
        options = self.options[position]
        p = float(chance(right, attempts, options))
        return (
            f"{right} of {attempts} attempts right is what guessing among {options} answers gives "
            f"(p = {p:.2g}, above {self.level:g})"
        )


@cache
def chance(right: int, attempts: int, options: int) -> Fraction:
    """Return the probability that guessing is right in at least ``right`` of ``attempts``."""
    ways = sum(comb(attempts, n) * (options - 1) ** (attempts - n) for n in range(right, attempts + 1))
    return Fraction(ways, options**attempts)


def least_attempts(options: int, level: float) -> int:
    """Return the fewest attempts at an observation of two options or more that can show that it was not luck."""
    attempts = 1
    while chance(attempts, attempts, options) > level:
        attempts += 1
    return attempts
