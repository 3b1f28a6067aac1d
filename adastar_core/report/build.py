"""A run's report from the store, whether or not this process owns the run."""

from collections.abc import Mapping
from dataclasses import replace

from adastar_core.compute import pflops
from adastar_core.records import Split
from adastar_core.report.acceptance import right_by_guessing
from adastar_core.report.calibration import Calibration, calibration
from adastar_core.report.compared import Compared, read_compared
from adastar_core.report.mislabelled import Mislabelled, read_mislabelled
from adastar_core.report.notes import evaluation_notes, run_notes, verifier_notes
from adastar_core.report.records import DifficultySummary, IterationSummary, RunReport, StageSummary
from adastar_core.runs.stored import StoredRun
from adastar_core.samplers.hindsight import predictions
from adastar_core.store.certain import Certain, read_certain
from adastar_core.store.costs import CostRow, read_costs
from adastar_core.store.evaluations import EvaluationRow, read_evaluations
from adastar_core.store.first_attempts import read_first_attempts
from adastar_core.store.items import items_sha256
from adastar_core.store.iterations import read_iterations
from adastar_core.store.provenance import read_wall_seconds
from adastar_core.store.results import IterationResult, read_iteration_results, read_trained_frequency
from adastar_core.store.runs import read_data_notes, read_ending, read_preset
from adastar_core.store.samples import read_samples
from adastar_core.store.statistics import read_stamps

SAMPLES_OF_A_KIND = 2


def report_of(stored: StoredRun, best: int) -> RunReport:
    """Return the run's report; ``best`` is the iteration whose checkpoint validation selected (0 = base)."""
    rows = stored.read(read_iteration_results)
    evaluations = {(row.iteration, row.split): row for row in stored.read(read_evaluations)}
    test = evaluations.get((best, Split.TEST))
    base_test = evaluations.get((0, Split.TEST))
    compared = stored.read(read_compared)
    certain = stored.read(read_certain)
    before, after = compared.sides(best)
    mislabelled = read_mislabelled(stored)
    return RunReport(
        run=stored.run.name,
        preset=stored.read(read_preset) or "",
        config_sha256=stored.ref.config_sha256,
        problem=stored.problem.name,
        method=stored.config.method_title(),
        base_model=stored.config.model,
        seed=stored.config.seed,
        base_validation=evaluations[0, Split.VALIDATION].accuracy,
        base_test=base_test.accuracy if base_test else None,
        test=test.accuracy if test else None,
        best_iteration=best,
        wall_seconds=stored.read(read_wall_seconds),
        checkpoint=stored.checkpoint(best).path,
        iterations=tuple(
            _beside(
                _iteration_row(row, evaluations, mislabelled, certain.get(row.iteration)),
                row,
                compared,
                stored.config.rationalize,
            )
            for row in rows
        ),
        by_difficulty=_by_difficulty(evaluations, best),
        trained_frequency=stored.read(read_trained_frequency),
        stages=tuple(map(_stage, stored.read(read_costs))),
        items_sha256=stored.read(items_sha256),
        samples=stored.read(read_samples, _measured_on(evaluations, best), best, SAMPLES_OF_A_KIND),
        ending=stored.read(read_ending),
        base_controls=before,
        controls=after,
        as_sampled=compared.as_sampled,
        warnings=compared.warnings(best),
        base_validation_right=compared.right.get(0),
        notes=(
            *stored.read(read_data_notes),
            *mislabelled.notes(rows),
            *run_notes(stored, rows),
            *evaluation_notes(evaluations.get((best, split)) for split in Split),
            *verifier_notes(stored.read(read_iterations), list(evaluations.values())),
        ),
    )


def _stage(cost: CostRow) -> StageSummary:
    return StageSummary(
        t=cost.iteration,
        stage=cost.stage,
        tokens=cost.tokens,
        pflops=pflops(cost.flops),
        padded_pflops=pflops(cost.padded_flops),
        attention_pflops=pflops(cost.attention_flops),
        seconds=cost.seconds,
    )


def whole_report_of(stored: StoredRun, best: int) -> RunReport:
    """Return the run's report with what takes longer than its figures: how the sampler's predictions came true."""
    return replace(report_of(stored, best), calibration=_calibration_of(stored))


def _calibration_of(stored: StoredRun) -> Calibration | None:
    """Return how a run's predictions came true; ``None`` if its sampler predicts nothing, or before its second iteration."""
    sampler = stored.config.sampler
    if not sampler.predicts:  # nor is a user's own opened, whose code may not be here
        return None
    past = stored.read(read_stamps)
    chances = dict(predictions(sampler, stored.config.seed, stored.train, past))
    visited = [visits for visits in stored.read(read_first_attempts) if visits.iteration in chances]
    return calibration(
        [(visits.iteration, chances[visits.iteration][visits.positions], visits.right) for visits in visited]
    )


Evaluations = Mapping[tuple[int, Split], EvaluationRow]


def _iteration_row(
    row: IterationResult, evaluations: Evaluations, mislabelled: Mislabelled, certain: Certain | None
) -> IterationSummary:
    validation = evaluations.get((row.iteration, Split.VALIDATION))
    tested = evaluations.get((row.iteration, Split.TEST))
    return IterationSummary(
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
        mislabelled_visit_share=mislabelled.visit_share(row),
        mislabelled_accepted_share=mislabelled.accepted_share(row),
        certain=certain.rationales if certain else None,
        left_out=len(certain.left_out) if certain else None,
        certain_share=certain.share if certain else None,
    )


def _beside(
    summary: IterationSummary, row: IterationResult, compared: Compared, rationalize: bool
) -> IterationSummary:
    """Return an iteration's summary with what its accuracy and its accepted rationales are compared with."""
    visits = compared.visits.get(row.iteration, ())
    return replace(
        summary,
        controls=compared.measured.get((row.iteration, Split.VALIDATION)),
        classes=compared.classes(row.iteration),
        right_attempts=row.first_try_correct if rationalize else sum(seen.correct for seen in visits),
        right_by_guessing=right_by_guessing(visits, first_only=rationalize),
        warnings=compared.warnings_of(row.iteration),
        validation_right=compared.right.get(row.iteration),
    )


def _measured_on(evaluations: Evaluations, best: int) -> Split:
    """Return the split that the report looks into: test if it is measured before and after, otherwise validation."""
    tested = all((iteration, Split.TEST) in evaluations for iteration in (0, best))
    return Split.TEST if tested else Split.VALIDATION


def _by_difficulty(evaluations: Evaluations, best: int) -> tuple[DifficultySummary, ...]:
    split = _measured_on(evaluations, best)
    before, after = evaluations[0, split].by_difficulty, evaluations[best, split].by_difficulty
    # Numbers by their value: difficulty 10 comes after 9.
    tags = sorted(before, key=lambda tag: (int(tag), "") if tag.isdigit() else (0, tag))
    return tuple(DifficultySummary(tag, before[tag], after[tag]) for tag in tags)
