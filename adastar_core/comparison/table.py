"""The comparison's table: one row per method, in the paper's form with what the paper leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from adastar_core.comparison.intervals import (
    Estimate,
    PairedDifference,
    estimate,
    holm,
    paired_difference,
    reached_at,
)
from adastar_core.comparison.member import Member, SelectOn, in_order
from adastar_core.config.methods import METHODS, MethodName
from adastar_core.errors import StageError

REFERENCE: MethodName = "adastar"


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method over its seeds. Accuracies are shares on test, costs 10^15 FLOPs up to the selected checkpoint.

    Attributes:
        method: The method.
        seeds: How many runs.
        accuracy: Of the selected checkpoints.
        difference: To AdaSTaR with the same seeds; ``None`` for AdaSTaR itself or without it.
        iteration: Mean iteration of the selected checkpoints.
        base_chosen: In how many runs the selected checkpoint is the base model: training did not help.
        pflops: Mean cost without padding.
        padded_pflops: The same with padding, as the paper counts.
        attention_pflops: Attention's own products, in neither.
        reached: PFLOPs at which the best baseline's accuracy is first reached, on the mean over seeds.
        saving: 1 - reached / the best baseline's own: the paper's down arrow.
        equal_compute: Accuracy when every method has spent the same.
        equal_difference: Its difference to AdaSTaR.
        frequency_deviation: Mean SD of how often an observation was trained on.
        false_positive_share: Mean share of trained rationales with a wrong step.
        corrected_p: The p of ``difference``, corrected for all methods of the table.
    """

    method: MethodName
    seeds: int
    accuracy: Estimate
    difference: PairedDifference | None
    iteration: float
    base_chosen: int
    pflops: float
    padded_pflops: float
    attention_pflops: float
    reached: float | None
    saving: float | None
    equal_compute: Estimate
    equal_difference: PairedDifference | None
    frequency_deviation: float | None
    false_positive_share: float | None
    corrected_p: float | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    """What every row is held against.

    Attributes:
        select_on: What chose the checkpoints.
        reference: AdaSTaR's runs; none where it was not compared.
        target: Accuracy of the best baseline; ``None`` without one.
        paid: PFLOPs at which that baseline reached it.
        equal: PFLOPs at which accuracies are compared.
    """

    select_on: SelectOn
    reference: Sequence[Member]
    target: float | None
    paid: float | None
    equal: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison's result.

    Attributes:
        title: What was compared.
        members: Every run.
        rows: One per method, in the catalogue's order.
        select_on: What chose the checkpoints.
        base: The base model's accuracy on test.
        best_baseline: The baseline whose accuracy is to be reached; ``None`` when there is no baseline.
        equal_pflops: The compute at which accuracies are compared: what every sampling run has spent at least.
        facts: What was run, as names and values.
    """

    title: str
    members: tuple[Member, ...]
    rows: tuple[MethodRow, ...]
    select_on: SelectOn
    base: float
    best_baseline: MethodName | None
    equal_pflops: float
    facts: tuple[tuple[str, str], ...]


def compare_members(
    title: str, members: Sequence[Member], select_on: SelectOn, facts: Sequence[tuple[str, str]] = ()
) -> Comparison:
    """Return the comparison of finished runs; at least one.

    Raises:
        StageError: They were measured on different questions.
    """
    _require_equal_items(members)
    by_method = {
        name: sorted((one for one in members if one.method == name), key=lambda one: one.seed)
        for name in in_order(member.method for member in members)
    }
    best = _best_baseline(by_method, select_on)
    measure = _measure(by_method, best, select_on)
    rows = tuple(_row(name, runs, measure) for name, runs in by_method.items())
    base = members[0].points[0].test
    return Comparison(
        title, tuple(members), _corrected(rows), select_on, base, best, measure.equal, tuple(facts)
    )


def _require_equal_items(members: Sequence[Member]) -> None:
    first: dict[str, Member] = {}
    for one in members:
        if one.items_sha256 is not None:
            first.setdefault(one.items_sha256, one)
    if len(first) > 1:
        named = " and ".join(f"{one.method} with seed {one.seed}" for one in list(first.values())[:2])
        raise StageError(
            f"{named} were measured on different validation or test questions, because the data changed between their starts. "
            "Compare under another name, so that all runs start from the data as they are now."
        )


def _measure(
    by_method: dict[MethodName, list[Member]], best: MethodName | None, select_on: SelectOn
) -> _Measure:
    target = _accuracy(by_method[best], select_on) if best else None
    paid = reached_at(by_method[best], target, select_on) if best and target is not None else None
    return _Measure(select_on, by_method.get(REFERENCE, []), target, paid, _equal_pflops(by_method))


def _corrected(rows: tuple[MethodRow, ...]) -> tuple[MethodRow, ...]:
    corrected = holm([row.difference.p if row.difference else None for row in rows])
    return tuple(replace(row, corrected_p=p) for row, p in zip(rows, corrected, strict=True))


def _best_baseline(by_method: dict[MethodName, list[Member]], select_on: SelectOn) -> MethodName | None:
    """Return the most accurate baseline, the cheaper among equals; as in the paper, without the SFT rows."""
    baselines = [
        name for name in by_method if METHODS[name].family == "baseline" and not name.startswith("sft")
    ]
    return max(
        baselines,
        key=lambda name: (_accuracy(by_method[name], select_on), -_cost(by_method[name], select_on)),
        default=None,
    )


def _accuracy(runs: Sequence[Member], select_on: SelectOn) -> float:
    return fmean(one.selected(select_on).test for one in runs)


def _cost(runs: Sequence[Member], select_on: SelectOn) -> float:
    return fmean(one.selected(select_on).pflops for one in runs)


def _equal_pflops(by_method: dict[MethodName, list[Member]]) -> float:
    """Return what every run has spent at least; fine-tuning on references costs too little to count."""
    sampling = [one.pflops for name, runs in by_method.items() if not name.startswith("sft") for one in runs]
    return min(sampling or [one.pflops for runs in by_method.values() for one in runs])


def _row(name: MethodName, runs: Sequence[Member], measure: _Measure) -> MethodRow:
    chosen = [one.selected(measure.select_on) for one in runs]
    reached = reached_at(runs, measure.target, measure.select_on) if measure.target is not None else None
    at_equal = [one.selected(measure.select_on, measure.equal).test for one in runs]
    against = [] if name == REFERENCE else measure.reference
    return MethodRow(
        method=name,
        seeds=len(runs),
        accuracy=estimate([point.test for point in chosen]),
        difference=paired(runs, against, measure.select_on),
        iteration=fmean(point.t for point in chosen),
        base_chosen=sum(point.t == 0 for point in chosen),
        pflops=fmean(point.pflops for point in chosen),
        padded_pflops=fmean(point.padded_pflops for point in chosen),
        attention_pflops=fmean(point.attention_pflops for point in chosen),
        reached=reached,
        saving=1 - reached / measure.paid if reached is not None and measure.paid else None,
        equal_compute=estimate(at_equal),
        equal_difference=paired(runs, against, measure.select_on, measure.equal),
        frequency_deviation=_mean([one.frequency_deviation for one in runs]),
        false_positive_share=_mean([one.false_positive_share for one in runs]),
    )


def paired(
    runs: Sequence[Member], reference: Sequence[Member], select_on: SelectOn, pflops: float = float("inf")
) -> PairedDifference | None:
    """Return the difference in accuracy over the seeds that both have; ``None`` without one."""
    theirs = {one.seed: one.selected(select_on, pflops).test for one in reference}
    ours = {one.seed: one.selected(select_on, pflops).test for one in runs if one.seed in theirs}
    if not ours:
        return None
    return paired_difference(list(ours.values()), [theirs[seed] for seed in ours])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
