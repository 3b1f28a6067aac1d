"""A run's report as named numbers, and what monitors get of it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from adastar_core.monitors import ITERATIONS, Row
from adastar_core.records import Accuracy
from adastar_core.report.records import IterationSummary, RunReport, StageSummary
from adastar_core.runs.workspace import Workspace
from adastar_core.store.browse import Condition, Wanted, read_rollouts
from adastar_core.store.results import ResponseLengths, read_response_lengths

_SAMPLES: tuple[Wanted, ...] = ("right", "wrong", "undecided")
_SAMPLES_OF_A_KIND = 3


def follow_iteration(workspace: Workspace, report: RunReport, row: IterationSummary) -> None:
    """Tell the run's monitors of a closed iteration; with the first one, of the base model too."""
    monitors = workspace.monitors
    if row.t == 1:
        monitors.log(ITERATIONS, 0, accuracy_numbers("validation", report.base_validation))
    lengths = workspace.read(read_response_lengths, row.t)
    training = workspace.checkpoint(row.t).training
    numbers = iteration_numbers(report, row, lengths)
    if training is not None:
        numbers |= {"finetune/loss": training.loss, "finetune/token_accuracy": training.token_accuracy}
    monitors.log(ITERATIONS, row.t, numbers)
    monitors.table("samples", row.t, partial(_samples, workspace, row.t))
    monitors.iteration(row)


def follow_end(workspace: Workspace, report: RunReport, files: Mapping[str, Path]) -> None:
    """Tell the run's monitors how it ended: test accuracies, the selected checkpoint, the report's files."""
    monitors = workspace.monitors
    tested = {
        0: report.base_test,
        **{row.t: row.test for row in report.iterations},
        report.best_iteration: report.test,
    }
    for t, accuracy in sorted(tested.items()):
        if numbers := accuracy_numbers("test", accuracy):
            monitors.log(ITERATIONS, t, numbers)
    selected = {"selected/iteration": float(report.best_iteration)}
    selected |= accuracy_numbers("selected/validation", report.selected_validation)
    selected |= accuracy_numbers("selected/test", report.test)
    monitors.log(ITERATIONS, len(report.iterations), selected)
    for name in ("report.html", "report.md"):
        monitors.file(files[name])
    monitors.finished(report)


def iteration_numbers(report: RunReport, row: IterationSummary, lengths: ResponseLengths) -> dict[str, float]:
    """Return an iteration's numbers by name; what is not known is left out."""
    stages = [stage for stage in report.stages if stage.t == row.t]
    counted = lengths.responses - row.surplus
    numbers = {
        "sampling/beta": row.beta,
        "sampling/visits": row.m,
        "sampling/attempts": counted,
        "sampling/accepted": row.accepted,
        "sampling/accepted_share": row.accepted / counted if counted else None,
        "sampling/alpha": row.alpha,
        "sampling/stamped": row.stamped,
        "sampling/first_try_accuracy": row.first_try_accuracy,
        "sampling/false_positive_share": row.false_positive_share,
        "sampling/mislabelled_visit_share": row.mislabelled_visit_share,
        "sampling/mislabelled_accepted_share": row.mislabelled_accepted_share,
        "sampling/rejected": row.rejected,
        "sampling/surplus": row.surplus,
        "sampling/undecided_share": row.undecided / counted if counted else None,
        "sampling/response_tokens": lengths.mean,
        "sampling/response_tokens_p90": lengths.p90,
        "sampling/cut_share": lengths.cut_share,
        "sampling/tokens_per_second": _speed(
            [stage for stage in stages if stage.stage.startswith("generate")]
        ),
        "finetune/tokens_per_second": _speed([stage for stage in stages if stage.stage == "finetune"]),
        "cost/pflops": row.pflops,
        "cost/padded_pflops": row.padded_pflops,
        "cost/attention_pflops": row.attention_pflops,
        "cost/total_pflops": sum(other.pflops for other in report.iterations if other.t <= row.t),
        "cost/seconds": row.seconds,
    }
    known = {name: float(number) for name, number in numbers.items() if number is not None}
    return known | accuracy_numbers("validation", row.validation)


def accuracy_numbers(name: str, accuracy: Accuracy | None) -> dict[str, float]:
    """Return an accuracy and its 95 % interval; nothing where nothing was asked."""
    share = accuracy.share if accuracy else None
    interval = accuracy.interval() if accuracy else None
    if share is None or interval is None:
        return {}
    low, high = interval
    return {f"{name}/accuracy": share, f"{name}/accuracy_low": low, f"{name}/accuracy_high": high}


def _speed(stages: list[StageSummary]) -> float | None:
    """Return generated or trained tokens per second, without padding."""
    seconds = sum(stage.seconds for stage in stages)
    tokens = sum(stage.tokens.generated_tokens + stage.tokens.train_tokens for stage in stages)
    return tokens / seconds if seconds else None


def _samples(workspace: Workspace, iteration: int) -> list[Row]:
    """Return a few attempts of each outcome, the first ones in the data's order."""
    rows = []
    for wanted in _SAMPLES:
        condition = Condition(wanted, iteration)
        rows += workspace.read(read_rollouts, workspace.run.dataset_id, condition, _SAMPLES_OF_A_KIND)
    return [
        {
            "observation": row.observation_id,
            "outcome": row.outcome or "",
            "question": row.question,
            "response": row.response,
            "extracted": row.extracted or "",
            "reference": row.reference,
            "reason": row.reason or "",
        }
        for row in rows
    ]
