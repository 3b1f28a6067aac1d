"""The notes of a report: what happened in a run that a reader of its numbers must know."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from adastar_core.machine.units import counted
from adastar_core.problems.chat import ChatProblem
from adastar_core.runs.stored import StoredRun
from adastar_core.store import incidents
from adastar_core.store.evaluations import EvaluationRow
from adastar_core.store.incidents import IncidentRow, read_incidents
from adastar_core.store.iterations import IterationRow
from adastar_core.store.results import IterationResult


def run_notes(stored: StoredRun, rows: Sequence[IterationResult]) -> list[str]:
    """Return what happened in a run that its tables do not show."""
    notes = []
    if isinstance(stored.problem, ChatProblem) and (date := stored.problem.date_told):
        notes.append(f"The model's chat template asks for the date; every prompt has {date} (prompt.date).")
    exhausted = [str(row.iteration) for row in rows if row.exhausted]
    if exhausted and stored.config.trains_up_to_beta():
        notes.append(
            f"The pool of {len(stored.train):,} observations was exhausted before beta was reached in iteration{'s' * (len(exhausted) > 1)} "
            f"{', '.join(exhausted)}; training used what was accepted ({stored.config.trainer.on_exhausted})."
        )
    undecided = sum(row.undecided for row in rows)
    if undecided:
        notes.append(f"The verifier could not decide {counted(undecided, 'response')}; none was trained on.")
    notes += map(_incident, stored.read(read_incidents))
    rejected = sum((Counter(row.rejected) for row in rows), Counter())
    if rejected:
        rules = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in rejected.most_common())
        notes.append(
            f"The rationale filter kept {counted(rejected.total(), 'right answer')} out of training: {rules}. "
            f"{shlex.join(['adastar', 'rollouts', stored.run.name, '--rejected'])} shows each with its reason."
        )
    return notes


def _incident(incident: IncidentRow) -> str:
    times = counted(incident.times, "time")
    checkpoint = f"the checkpoint of iteration {incident.iteration}"
    match incident.kind:
        case incidents.CUT_SHORT:
            return (
                f"{incident.times:,} of the verdicts on what {checkpoint} generated ran out of processor time, and another "
                f"machine might decide them; the last: {incident.detail}"
            )
        case incidents.ROUNDED_OTHERWISE:
            return f"After {checkpoint} the run continued with other rounding, {times}: {incident.detail}."
        case incidents.JUDGED_AGAIN:
            return f"Iteration {incident.iteration} was judged again, {times}; the last: {incident.detail}."
        case _:
            return f"Generation from {checkpoint} recovered {times} ({incident.kind}); the last: {incident.detail}"


def evaluation_notes(selected: Iterable[EvaluationRow | None]) -> list[str]:
    """Return the notes on the evaluations of the selected checkpoint; ``None`` was not measured."""
    return [
        f"The verifier could not decide {row.undecided:,} of {row.accuracy.total:,} {row.split} answers of the selected "
        "checkpoint; they count as wrong."
        for row in selected
        if row and row.undecided
    ]


def verifier_notes(iterations: Sequence[IterationRow], evaluations: Sequence[EvaluationRow]) -> list[str]:
    """Return which version of the verifier judged what, if there was more than one; old rows name none.

    An upgraded library makes another version.
    """
    rationales = [(row.verifier, row.iteration) for row in iterations]
    answers = sorted({(row.verifier or "", row.iteration) for row in evaluations})
    versions = list(filter(None, dict.fromkeys(version for version, _ in (*rationales, *answers))))
    if len(versions) < 2:
        return []

    def numbers(judged: Sequence[tuple[str | None, int]], version: str) -> str:
        return ", ".join(str(iteration) for judge, iteration in judged if judge == version) or "none"

    parts = [
        f"{version} (rationales of iterations: {numbers(rationales, version)}; evaluations of checkpoints: "
        f"{numbers(answers, version)})"
        for version in versions
    ]
    return [
        "The verifier changed during the run, so counts under different versions are not exactly comparable: "
        f"{'; '.join(parts)}."
    ]
