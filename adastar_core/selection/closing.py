"""What an iteration visited and accepted, replayed over its verdicts, and how far it stamps."""

import math
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from adastar_core.selection.rules import Results, Rules

Rounding = Literal["floor", "round"]


@dataclass(frozen=True, slots=True)
class Visit:
    """One observation's part in an iteration.

    Attributes:
        correct: Correct attempts that count in the win rate.
        accepted: Numbers of the attempts that entered D+.
        first_try: Whether the first, unhinted attempt was right.
        tokens: Tokens of prompts and responses of all attempts.
    """

    position: int
    attempts: int
    correct: int
    accepted: tuple[int, ...]
    first_try: bool
    tokens: int = 0

    @property
    def win_rate(self) -> float:
        """w_i, correct attempts / attempts."""
        return self.correct / self.attempts


@dataclass(frozen=True, slots=True)
class Selection:
    """A closed iteration: the visits in order (m of them) and whether the pool ran out."""

    visits: tuple[Visit, ...]
    exhausted: bool

    @property
    def m(self) -> int:
        return len(self.visits)

    @property
    def accepted(self) -> list[tuple[int, int]]:
        """D+ as (position, attempt), in order of visit."""
        return [(visit.position, attempt) for visit in self.visits for attempt in visit.accepted]

    @property
    def acceptance(self) -> Fraction:
        """The share of visited observations with an accepted rationale (the reference code's alpha)."""
        return Fraction(sum(bool(visit.accepted) for visit in self.visits), self.m or 1)

    @property
    def first_try(self) -> Fraction:
        """The share of visited observations whose first attempt was right."""
        return Fraction(sum(visit.first_try for visit in self.visits), self.m or 1)


def close(order: Iterable[int], results: Results, rules: Rules, beta: int) -> Selection:
    """Replay the iteration one observation at a time and return what it visited and accepted.

    Raises:
        ValueError: An observation before the stop still needs an attempt.
    """
    visits: list[Visit] = []
    accepted = 0
    for position in order:
        if rules.stop.reached(len(visits), accepted, beta):
            return Selection(tuple(visits), exhausted=False)
        visit = find_visit(position, results, rules)
        if visit is None:
            raise ValueError(f"observation at position {position} still needs an attempt")
        visits.append(visit)
        accepted += len(visit.accepted)
    return Selection(tuple(visits), exhausted=accepted < beta)


def find_visit(position: int, results: Results, rules: Rules) -> Visit | None:
    """Return an observation's visit; ``None`` while it still needs an attempt."""
    judged = results.get(position, [])
    if rules.missing(position, judged):
        return None
    # A hint gives the answer away, so its success may be kept out of the win rate; D+ takes the rationale either way.
    wins = sum(attempt.right and (rules.count_hinted_wins or not attempt.hinted) for attempt in judged)
    tokens = sum(attempt.tokens for attempt in judged)
    return Visit(position, len(judged), wins, rules.accepted(position, judged), judged[0].right, tokens)


def thin(selected: Selection, wanted: int, choice: np.random.Generator) -> Selection:
    """Return the selection with ``wanted`` of its accepted rationales at most, chosen at random (STaR's down-sampling).

    Visits, attempts and win rates do not change.
    """
    accepted = selected.accepted
    if len(accepted) <= wanted:
        return selected
    return keep_only(
        selected, {accepted[place] for place in choice.permutation(len(accepted))[:wanted].tolist()}
    )


def balance(selected: Selection, class_of: Callable[[int], str], choice: np.random.Generator) -> Selection:
    """Return the selection with equally many accepted rationales of every class that has any, chosen at random.

    ``class_of`` returns the class of the observation at a position. Visits, attempts and win rates do not change.
    """
    classes: dict[str, list[tuple[int, int]]] = {}
    for position, attempt in selected.accepted:
        classes.setdefault(class_of(position), []).append((position, attempt))
    each = min(map(len, classes.values()), default=0)
    kept = set()
    for _, members in sorted(classes.items()):
        kept |= {members[place] for place in choice.permutation(len(members))[:each].tolist()}
    return keep_only(selected, kept)


def keep_only(selected: Selection, kept: Set[tuple[int, int]]) -> Selection:
    """Return the selection with those of its accepted rationales that are among ``kept``, as (position, attempt)."""
    visits = tuple(
        replace(visit, accepted=tuple(k for k in visit.accepted if (visit.position, k) in kept))
        for visit in selected.visits
    )
    return replace(selected, visits=visits)


def stamp_count(m: int, alpha: Fraction | float, power: float, rounding: Rounding = "floor") -> int:
    """Return u = floor(m * alpha^p), the number of visited observations to stamp (Algorithm 1, line 16).

    Exact for a whole power: in floating point, products that are whole numbers can fall just below. ``round``
    is what the official code does, in floating point, halves to even.
    """
    if rounding == "round":
        return min(m, round(m * math.pow(alpha, power)))
    if float(power).is_integer():
        return int(m * Fraction(alpha) ** int(power))
    return min(m, math.floor(m * math.pow(alpha, power)))
