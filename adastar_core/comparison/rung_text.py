"""What was decided at a comparison's rungs, in words, as a table, and as the record that is kept of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from adastar_core.comparison.dropping import Decision, Verdict
from adastar_core.config.methods import METHODS
from adastar_core.machine.units import NONE, flops, percent_number

HEADINGS = (
    "after",
    "method",
    "spent",
    "validation %",
    "best other",
    "difference",
    "at most",
    "if it gains on",
    "",
)
WHAT_RUNGS_SAY = (
    "Differences are in points on validation, means over paired seeds, to the best other method at the same compute. At most: the "
    "upper bound over seeds and questions, corrected (Bonferroni) for all methods and rungs. If it gains on: what is left if the "
    "method's gain grows in proportion to the budget and the other gains nothing more. A method is dropped where both are "
    "below zero; test accuracy decides nothing."
)


def dropped_after(verdict: Verdict) -> str:
    """Return how a dropped method is marked wherever it is listed."""
    return f"dropped after {flops(verdict.pflops)}"


def reason(decision: Decision, verdict: Verdict) -> str:
    """Return why a method was dropped, as its runs say it."""
    assert verdict.rival is not None, "it was compared"
    return (
        f"Dropped from its comparison after {decision.rung.title}: on validation it is {_points(verdict.difference)} points to "
        f"{METHODS[verdict.rival].title} (at most {_points(verdict.high)}), and {_points(verdict.attainable)} if it gains on in "
        "proportion to the budget. The same command without --drop runs it to its end."
    )


def cells(decisions: Sequence[Decision]) -> list[tuple[str, ...]]:
    """Return a row per rung and method, in the order of :data:`HEADINGS`."""
    return [
        (
            decision.rung.title,
            METHODS[verdict.method].title,
            flops(verdict.pflops),
            percent_number(verdict.accuracy),
            METHODS[verdict.rival].title if verdict.rival else NONE,
            *(_points(value) for value in (verdict.difference, verdict.high, verdict.attainable)),
            "dropped" if verdict.dropped else "kept",
        )
        for decision in decisions
        for verdict in decision.verdicts
    ]


def record(decisions: Sequence[Decision]) -> str:
    """Return the decisions as JSON with unrounded numbers. The same results give the same text."""
    rows = [
        {
            "rung": asdict(decision.rung),
            "verdicts": [{**asdict(verdict), "dropped": verdict.dropped} for verdict in decision.verdicts],
        }
        for decision in decisions
    ]
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def _points(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:+.1f}"
