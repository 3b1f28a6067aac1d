"""The comparison's table: one row per method, as in the paper, with intervals, tests and all costs added."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from adastar_core.comparison import intervals
from adastar_core.comparison.dropping import Decision, Verdict
from adastar_core.comparison.intervals import Estimate, PairedDifference, estimate
from adastar_core.comparison.member import Member, SelectOn, in_order
from adastar_core.config.methods import METHODS, OWN, MethodName
from adastar_core.errors import StageError
from adastar_core.machine.units import flops_unit

REFERENCE: MethodName = "adastar"
OWN_SAMPLER = "own sampler"
"""The fact that names the class of the method ``custom``."""


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method over its seeds. Accuracies are on test, in [0, 1]; costs are 10^15 FLOPs up to the selected checkpoint.

    Attributes:
        difference: To AdaSTaR with the same seeds; ``None`` for AdaSTaR itself or if it was not compared.
        iteration: Mean iteration of the selected checkpoints.
        base_chosen: Number of runs that selected the base model: training did not help.
        pflops: Mean cost without padding; ``padded_pflops`` as the paper counts; both without attention.
        reached: PFLOPs at which the best baseline's accuracy is first reached, on the mean over seeds.
        saving: 1 - reached / the best baseline's own cost: the paper's down arrow.
        ratio: What it spends to reach AdaSTaR's mean accuracy, over what AdaSTaR spends; ``None`` if a seed never reaches it.
        equal_compute: Accuracy when every method has spent the same compute.
        frequency_deviation: Mean SD of how often an observation was trained on.
        false_positive_share: Mean share of trained rationales with a wrong step.
        corrected_p: The p of ``difference``, corrected for all methods of the table (Holm).
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
    ratio: Estimate | None
    equal_compute: Estimate
    equal_difference: PairedDifference | None
    frequency_deviation: float | None
    false_positive_share: float | None
    corrected_p: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison's result; its rows are in the catalogue's order.

    Attributes:
        select_on: The split that selected the checkpoints.
        base: The base model's test accuracy.
        best_baseline: The baseline whose accuracy the other methods are to reach; ``None`` without a baseline.
        equal_pflops: The compute at which ``equal_compute`` compares: the least that a sampling run has spent.
        decisions: What its rungs decided, if it drops methods.
        given_up: The runs of dropped methods, up to where they were dropped. Nothing is compared with them.
    """

    title: str
    members: tuple[Member, ...]
    rows: tuple[MethodRow, ...]
    select_on: SelectOn
    base: float
    best_baseline: MethodName | None
    equal_pflops: float
    facts: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...] = ()
    given_up: tuple[Member, ...] = ()

    @property
    def dropped(self) -> dict[MethodName, Verdict]:
        """The methods that rungs have dropped, in their order."""
        return {name: verdict for decision in self.decisions for name, verdict in decision.dropped.items()}

    @property
    def unit(self) -> tuple[float, str]:
        """The unit for all costs, which suits the largest, and the factor from PFLOPs to it."""
        return flops_unit(max(member.pflops for member in self.members))

    def title_of(self, method: MethodName) -> str:
        """Return a method's title; of a sampler of one's own, the name of its class."""
        own = dict(self.facts).get(OWN_SAMPLER)
        return own.rpartition(":")[2] if own and method == OWN else METHODS[method].title

    def runs(self, method: MethodName) -> list[Member]:
        return [member for member in self.members if member.method == method]


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What every row is measured against.

    Attributes:
        reference: AdaSTaR's runs; empty if it was not compared.
        target: Accuracy of the best baseline; ``None`` without one.
        paid: PFLOPs at which that baseline reached it.
        equal: PFLOPs at which accuracies are compared.
    """

    select_on: SelectOn
    reference: Sequence[Member]
    target: float | None
    paid: float | None
    equal: float


def compare_members(
    title: str,
    members: Sequence[Member],
    select_on: SelectOn,
    facts: Sequence[tuple[str, str]] = (),
    decisions: Sequence[Decision] = (),
) -> Comparison:
    """Return the comparison of one or more finished runs.

    Runs of methods that ``decisions`` dropped are kept apart: they have not had the whole budget.

    Raises:
        StageError: They were measured on different questions.
    """
    _require_equal_items(members)
    dropped = {name for decision in decisions for name in decision.dropped}
    given_up = tuple(member for member in members if member.method in dropped)
    members = [member for member in members if member.method not in dropped]
    by_method = {
        name: sorted((member for member in members if member.method == name), key=lambda member: member.seed)
        for name in in_order(member.method for member in members)
    }
    best, target, paid = _best_baseline(by_method, select_on), None, None
    if best is not None:
        target = _accuracy(by_method[best], select_on)
        paid = intervals.reached_at(by_method[best], target, select_on)
    # SFT trains on the references and samples nothing: it costs too little to compare the others there.
    sampling = [run.pflops for name, runs in by_method.items() if not name.startswith("sft") for run in runs]
    equal = min(sampling or [member.pflops for member in members])
    yardstick = _Yardstick(select_on, by_method.get(REFERENCE, []), target, paid, equal)
    rows = [_row(name, runs, yardstick) for name, runs in by_method.items()]
    corrected = intervals.holm([row.difference.p if row.difference else None for row in rows])
    return Comparison(
        title,
        tuple(members),
        tuple(replace(row, corrected_p=p) for row, p in zip(rows, corrected, strict=True)),
        select_on,
        members[0].points[0].test,
        best,
        equal,
        tuple(facts),
        tuple(decisions),
        given_up,
    )


def _require_equal_items(members: Sequence[Member]) -> None:
    first: dict[str, Member] = {}
    for member in members:
        if member.items_sha256 is not None:
            first.setdefault(member.items_sha256, member)
    if len(first) > 1:
        named = " and ".join(f"{run.method} with seed {run.seed}" for run in list(first.values())[:2])
        raise StageError(
            f"{named} were measured on different validation or test questions, because the data changed between their "
            "starts. Compare under another name, so that all runs start from the present data."
        )


def _best_baseline(by_method: dict[MethodName, list[Member]], select_on: SelectOn) -> MethodName | None:
    """Return the most accurate baseline, the cheaper among equals. As in the paper, SFT is no baseline here."""
    baselines = [
        name for name in by_method if METHODS[name].family == "baseline" and not name.startswith("sft")
    ]

    def quality(name: MethodName) -> tuple[float, float]:
        cost = fmean(run.selected(select_on).pflops for run in by_method[name])
        return _accuracy(by_method[name], select_on), -cost

    return max(baselines, key=quality, default=None)


def _accuracy(runs: Sequence[Member], select_on: SelectOn) -> float:
    return fmean(run.selected(select_on).test for run in runs)


def _row(name: MethodName, runs: Sequence[Member], yardstick: _Yardstick) -> MethodRow:
    select_on, equal, target = yardstick.select_on, yardstick.equal, yardstick.target
    points = [run.selected(select_on) for run in runs]
    reached = intervals.reached_at(runs, target, select_on) if target is not None else None
    against = [] if name == REFERENCE else yardstick.reference
    return MethodRow(
        method=name,
        seeds=len(runs),
        accuracy=estimate([point.test for point in points]),
        difference=paired(runs, against, select_on),
        iteration=fmean(point.t for point in points),
        base_chosen=sum(point.t == 0 for point in points),
        pflops=fmean(point.pflops for point in points),
        padded_pflops=fmean(point.padded_pflops for point in points),
        attention_pflops=fmean(point.attention_pflops for point in points),
        reached=reached,
        saving=1 - reached / yardstick.paid if reached is not None and yardstick.paid else None,
        ratio=intervals.compute_ratio(runs, against, select_on) if against else None,
        equal_compute=estimate([run.selected(select_on, equal).test for run in runs]),
        equal_difference=paired(runs, against, select_on, equal),
        frequency_deviation=_mean([run.frequency_deviation for run in runs]),
        false_positive_share=_mean([run.false_positive_share for run in runs]),
    )


def paired(
    runs: Sequence[Member], reference: Sequence[Member], select_on: SelectOn, pflops: float = float("inf")
) -> PairedDifference | None:
    """Return the difference in accuracy over the seeds that both have; ``None`` if they share no seed."""
    theirs = {run.seed: run.selected(select_on, pflops).test for run in reference}
    ours = {run.seed: run.selected(select_on, pflops).test for run in runs if run.seed in theirs}
    if not ours:
        return None
    return intervals.paired_difference(list(ours.values()), [theirs[seed] for seed in ours])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
