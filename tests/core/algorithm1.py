"""Algorithm 1 of the AdaSTaR paper, transcribed line by line, as the oracle of the tests.

It samples one attempt at a time and knows nothing of batches, rings or stores.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass
class Oracle:
    """The state of lines 1-3: the hierarchical min heap on (t~, w, tiebreak)."""

    tiebreak: list[int]
    last: dict[int, int]
    win: dict[int, Fraction]

    @classmethod
    def fresh(cls, tiebreak: list[int]) -> "Oracle":
        return cls(
            tiebreak, dict.fromkeys(range(len(tiebreak)), 0), dict.fromkeys(range(len(tiebreak)), Fraction(0))
        )

    def iterate(
        self,
        iteration: int,
        beta: int,
        attempts: int,
        until_correct: bool,
        power: int,
        right: Callable[[int, int], bool],
    ) -> tuple[list[int], list[tuple[int, int]], Fraction, list[int]]:
        """Run lines 4-19 once; return visits, D+, alpha (acceptance) and the stamped positions."""
        heap = [(self.last[i], self.win[i], self.tiebreak[i], i) for i in range(len(self.tiebreak))]
        heapq.heapify(heap)
        visits: list[int] = []
        d_plus: list[tuple[int, int]] = []
        w_tmp: dict[int, Fraction] = {}
        while len(d_plus) < beta and heap:
            i = heapq.heappop(heap)[-1]
            visits.append(i)
            w_tmp[i] = Fraction(0)
            for k in range(1, attempts + 1):
                correct = right(i, k)
                w_tmp[i] = Fraction(k - 1, k) * w_tmp[i] + Fraction(1, k) * int(correct)
                if correct:
                    d_plus.append((i, k))
                    if until_correct:
                        break
        m = len(visits)
        alpha = Fraction(len({i for i, _ in d_plus}), m)
        stamped = visits[: int(m * alpha**power)]
        for i in stamped:
            self.last[i], self.win[i] = iteration, w_tmp[i]
        return visits, d_plus, alpha, stamped
