"""Rungs: the parts of a comparison's budget after which methods may be dropped."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from adastar_core.comparison.member import Member, Point
from adastar_core.machine.units import flops

SHARES = (0.25, 0.5, 1.0)
"""Of the budget. With most methods dropped at the first, a comparison costs little more than a quarter."""
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Rung:
    """A part of the budget of each run.

    Attributes:
        limit: Where it ends: iterations, or 10^15 FLOPs.
        whole: The whole budget, in the same unit.
        by: What the budget is counted in.
    """

    limit: float
    whole: float
    by: Literal["iterations", "pflops"]

    @property
    def is_last(self) -> bool:
        return self.limit >= self.whole

    @property
    def title(self) -> str:
        if self.by == "pflops":
            return flops(self.limit)
        return f"{self.limit:.0f} iteration{'s' if self.limit > 1 else ''}"

    @property
    def setting(self) -> str:
        """The configuration of a run that ends here: ``iterations=2``."""
        return f"iterations={self.limit:.0f}" if self.by == "iterations" else f"budget_pflops={self.limit!r}"

    def cost(self, point: Point) -> float:
        """Return what a run has spent of its budget at a point."""
        return point.pflops if self.by == "pflops" else point.t

    def holds(self, point: Point) -> bool:
        """Return whether a run goes on from this point within the rung."""
        return self.cost(point) < self.limit * (1 - _ROUNDING)

    def cut(self, run: Member) -> Member:
        """Return the run as it was at this rung's end: up to the iteration that reached it, whatever it did since."""
        if self.is_last:
            return run
        last = next((place for place, point in enumerate(run.points) if not self.holds(point)), None)
        return run if last is None else replace(run, points=run.points[: last + 1])


def rungs(iterations: int, budget_pflops: float | None) -> tuple[Rung, ...]:
    """Return the rungs of a budget, the whole last. Few iterations have fewer rungs, none of which is empty."""
    if budget_pflops is not None:
        return tuple(Rung(share * budget_pflops, budget_pflops, "pflops") for share in SHARES)
    limits = dict.fromkeys(math.ceil(share * iterations) for share in SHARES)
    return tuple(Rung(limit, iterations, "iterations") for limit in limits)
