"""What came out of a run: its report from the store, and the report's files in the run's directory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from adastar_core.compute import pflops
from adastar_core.problems.chat import ChatProblem
from adastar_core.records import Split
from adastar_core.report.figures import figures
from adastar_core.report.page import html
from adastar_core.report.records import DifficultyRow, IterationRow, RunReport, StageRow
from adastar_core.report.text import markdown
from adastar_core.report.verifiers import verifier_note
from adastar_core.runs.workspace import Workspace
from adastar_core.store import incidents
from adastar_core.store.costs import ComputeRow, read_compute
from adastar_core.store.evaluations import EvaluationRow, read_evaluations
from adastar_core.store.incidents import IncidentRow, read_incidents
from adastar_core.store.items import items_sha256
from adastar_core.store.iterations import read_iterations
from adastar_core.store.provenance import read_wall_seconds
from adastar_core.store.results import IterationResult, read_iteration_results, read_trained_frequency
from adastar_core.store.runs import read_data_notes, read_preset


def report_of(workspace: Workspace, best: int) -> RunReport:
    """Return the run's report; ``best`` is the iteration whose checkpoint validation selected (0 = base)."""
    with workspace.engine.connect() as connection:
        rows = read_iteration_results(connection, workspace.run_id)
        evaluations = {
            (one.iteration, one.split): one for one in read_evaluations(connection, workspace.run_id)
        }
        trained = read_trained_frequency(connection, workspace.run_id)
        costs = read_compute(connection, workspace.run_id)
        happened = read_incidents(connection, workspace.run_id)
        iterations = read_iterations(connection, workspace.run_id)
        data_notes = read_data_notes(connection, workspace.run_id)
        items = items_sha256(connection, workspace.run_id)
        seconds = read_wall_seconds(connection, workspace.run_id)
        preset = read_preset(connection, workspace.run_id)
    test = evaluations.get((best, Split.TEST))
    return RunReport(
        run=workspace.ref.name,
        preset=preset or "",
        config_sha256=workspace.ref.config_sha256,
        problem=workspace.problem.name,
        method=workspace.config.method_title(),
        base_model=workspace.config.model,
        seed=workspace.config.seed,
        base_validation=evaluations[0, Split.VALIDATION].accuracy,
        base_test=evaluations[0, Split.TEST].accuracy if (0, Split.TEST) in evaluations else None,
        test=test.accuracy if test else None,
        best_iteration=best,
        wall_seconds=seconds,
        checkpoint=workspace.checkpoint(best).path,
        iterations=tuple(_iteration_row(row, evaluations) for row in rows),
        by_difficulty=_by_difficulty(evaluations, best),
        trained_frequency=trained,
        stages=tuple(_stage_row(one) for one in costs),
        items_sha256=items,
        notes=(
            *data_notes,
            *_notes(
                workspace,
                rows,
                [one for one in (evaluations.get((best, split)) for split in Split) if one],
                happened,
            ),
            *verifier_note(iterations, list(evaluations.values())),
        ),
    )


def write_report(workspace: Workspace, report: RunReport) -> dict[str, Path]:
    """Write the page, the Markdown and the figures into the run's directory; return where they lie by name."""
    folder = workspace.folder / "report"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures(report)
    files = {"report.html": html(report, drawn).encode(), "report.md": markdown(report).encode()}
    files |= {f"{figure.name}.png": figure.png for figure in drawn}
    for name, content in files.items():
        _replace(folder / name, content)
    return {name: folder / name for name in files}


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def spent_pflops(workspace: Workspace, iteration: int) -> float:
    """Return what the iterations up to this one cost without padding, evaluation not counted."""
    with workspace.engine.connect() as connection:
        rows = read_iteration_results(connection, workspace.run_id)
    return pflops(sum(row.flops for row in rows if row.iteration <= iteration))


Evaluations = Mapping[tuple[int, Split], EvaluationRow]


def _iteration_row(row: IterationResult, evaluations: Evaluations) -> IterationRow:
    validation = evaluations.get((row.iteration, Split.VALIDATION))
    tested = evaluations.get((row.iteration, Split.TEST))
    return IterationRow(
        t=row.iteration,
        beta=row.beta,
        m=row.m,
        accepted=row.accepted,
        surplus=row.surplus,
        alpha=row.alpha,
        stamped=row.stamped,
        first_try_accuracy=row.first_try_correct / row.m if row.m else None,
        false_positive_share=row.false_positives / row.rationales_checked if row.rationales_checked else None,
        validation=validation.accuracy if validation else None,
        pflops=pflops(row.flops),
        padded_pflops=pflops(row.padded_flops),
        attention_pflops=pflops(row.attention_flops),
        test=tested.accuracy if tested else None,
        seconds=row.seconds,
        rejected=sum(row.rejected.values()),
        undecided=row.undecided,
    )


def _stage_row(cost: ComputeRow) -> StageRow:
    return StageRow(
        t=cost.iteration,
        stage=cost.stage,
        tokens=cost.tokens,
        pflops=pflops(cost.flops),
        padded_pflops=pflops(cost.padded_flops),
        attention_pflops=pflops(cost.attention_flops),
        seconds=cost.seconds,
    )


def _by_difficulty(evaluations: Evaluations, best: int) -> tuple[DifficultyRow, ...]:
    split = Split.TEST if (best, Split.TEST) in evaluations else Split.VALIDATION
    before, after = evaluations[0, split].by_difficulty, evaluations[best, split].by_difficulty
    return tuple(DifficultyRow(tag, before[tag], after[tag]) for tag in sorted(before, key=_natural))


def _natural(tag: str) -> tuple[int, str]:
    return (int(tag), "") if tag.isdigit() else (0, tag)


def _incident(one: IncidentRow) -> str:
    times = f"{one.times:,} time{'s' if one.times > 1 else ''}"
    match one.kind:
        case incidents.CUT_SHORT:
            return (
                f"{one.times:,} of the verdicts on what the checkpoint of iteration {one.iteration} generated were cut short for want of "
                f"processor time, and another machine might decide them; the last time: {one.detail}"
            )
        case incidents.ROUNDED_OTHERWISE:
            return f"After the checkpoint of iteration {one.iteration} the run was continued otherwise, {times}: {one.detail}."
        case incidents.JUDGED_AGAIN:
            return f"Iteration {one.iteration} was judged again, {times}; the last time: {one.detail}."
        case _:
            return (
                f"Generation from the checkpoint of iteration {one.iteration} was mended {one.times} times ({one.kind}); the last time: "
                f"{one.detail}"
            )


def _notes(
    workspace: Workspace,
    rows: list[IterationResult],
    selected: list[EvaluationRow],
    happened: Sequence[IncidentRow],
) -> tuple[str, ...]:
    notes = []
    if isinstance(workspace.problem, ChatProblem) and (told := workspace.problem.date_told):
        notes.append(
            f"The model's chat template asks for the date, and was told {told} throughout (prompt.date)."
        )
    exhausted = [str(row.iteration) for row in rows if row.exhausted]
    schedule = workspace.config.schedule
    if exhausted and (schedule.visit, schedule.train_on) != ("all", "accepted"):
        notes.append(
            f"The pool of {len(workspace.train):,} observations was exhausted before beta was reached in iteration "
            f"{', '.join(exhausted)}; training used what was accepted ({workspace.config.trainer.on_exhausted})."
        )
    undecided = sum(row.undecided for row in rows)
    if undecided:
        notes.append(f"The verifier could not decide {undecided:,} responses; they were not trained on.")
    notes += map(_incident, happened)
    rejected = sum((Counter(row.rejected) for row in rows), Counter())
    if rejected:
        rules = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in rejected.most_common())
        notes.append(
            f"The rationale filter kept {rejected.total():,} right answers out of training: {rules}. "
            "verdicts.rejected_because has the reason of each."
        )
    notes += [
        f"The verifier could not decide {one.undecided:,} of {one.accuracy.total:,} {one.split} answers of the selected "
        "checkpoint; they count as not right."
        for one in selected
        if one.undecided
    ]
    return tuple(notes)
