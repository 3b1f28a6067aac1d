"""Which attempts an iteration makes next, what it accepts, and how far it stamps. Pure functions.

Source: Algorithm 1 of the AdaSTaR paper. Observations are visited in the sampler's order until beta_t
rationales are accepted. Generation runs ahead of that walk in batches, so an iteration is planned from
the verdicts so far, and closed by replaying the walk over all verdicts. Attempts past the stopping
observation are surplus and change nothing, whatever the batch size was.
"""

from adastar_core.selection.certain import near_certain, thin_certain
from adastar_core.selection.closing import (
    Rounding,
    Selection,
    Visit,
    balance,
    close,
    find_visit,
    stamp_count,
    thin,
)
from adastar_core.selection.rules import Budget, BudgetOf, Judged, Results, Rules
from adastar_core.selection.waves import Planned, next_attempts

__all__ = [
    "Budget", "BudgetOf", "Judged", "Planned", "Results", "Rounding", "Rules", "Selection", "Visit", "balance", "close",
    "find_visit", "near_certain", "next_attempts", "stamp_count", "thin", "thin_certain",
]  # fmt: skip
