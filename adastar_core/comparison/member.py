"""One run of a comparison, read from its summary file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from adastar_core.config.methods import METHODS, MethodName

SelectOn = Literal["validation", "test"]


@dataclass(frozen=True, slots=True)
class Point:
    """A run's state after iteration ``t``; 0 is the base model. Costs are cumulative, in 10^15 FLOPs.

    ``right`` has a 1 for every validation question that was answered right, and a 0 for every other, in their order; it is
    empty in summaries of older versions.
    """

    t: int
    validation: float
    test: float
    pflops: float
    padded_pflops: float
    attention_pflops: float
    right: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One run: a method with a seed.

    Attributes:
        points: The base model and every iteration, in order.
        frequency_deviation: SD of how often an observation was trained on; ``None`` when nothing was trained.
        false_positive_share: Share of the trained rationales with a wrong step; ``None`` where not checkable.
        items_sha256: Digest of the questions that it was measured on; ``None`` in summaries of older versions.
    """

    method: MethodName
    seed: int
    points: tuple[Point, ...]
    frequency_deviation: float | None
    false_positive_share: float | None
    items_sha256: str | None = None

    @property
    def pflops(self) -> float:
        return self.points[-1].pflops

    def selected(self, select_on: SelectOn, pflops: float = float("inf")) -> Point:
        """Return the best checkpoint that costs at most ``pflops``, the earliest among equals."""
        affordable = [point for point in self.points if point.pflops <= pflops]
        return max(affordable, key=lambda point: (getattr(point, select_on), -point.t))


def read_member(path: Path, method: MethodName, seed: int) -> Member:
    """Return the run whose summary file is ``path``; every iteration must be measured on test."""
    summary: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows: list[Mapping[str, Any]] = summary["iterations"]
    costs = [
        list(accumulate((row[name] for row in rows), initial=0.0))
        for name in ("pflops", "padded_pflops", "attention_pflops")
    ]
    measured = [
        (
            summary["base_validation_accuracy"],
            summary["base_test_accuracy"],
            summary.get("base_validation_right"),
        ),
        *((row["validation_accuracy"], row["test_accuracy"], row.get("validation_right")) for row in rows),
    ]
    points = tuple(
        Point(t, validation, test, plain, padded, attention, right or "")
        for t, ((validation, test, right), (plain, padded, attention)) in enumerate(
            zip(measured, zip(*costs, strict=True), strict=True)
        )
    )
    # The share over all iterations, each weighted by its accepted rationales.
    checked = [row for row in rows if row["false_positive_share"] is not None]
    accepted = sum(row["accepted"] for row in checked)
    false_positives = sum(row["false_positive_share"] * row["accepted"] for row in checked)
    return Member(
        method,
        seed,
        points,
        summary["trained_frequency_deviation"],
        float(false_positives / accepted) if accepted else None,
        summary.get("items_sha256"),
    )


def in_order(methods: Iterable[MethodName]) -> list[MethodName]:
    """Return the methods in the catalogue's order, each once."""
    wanted = set(methods)
    return [name for name in METHODS if name in wanted]
