"""Accuracy of a checkpoint on a split, one stored row per judged item.

Answers are greedy, or the majority of several samples (self-consistency). An evaluation with the same content as one
that the store holds already (the base model's, in another run) is copied, with its costs, instead of made again.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict

from adastar_core.records import Attempt, GenerationRequest, Incident, Split, Verdict
from adastar_core.runs.judging import write_cut_short
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import voting
from adastar_core.stages.costs import record_cost
from adastar_core.stages.generate import batches
from adastar_core.stages.manifests import EvaluateManifest
from adastar_core.store.evaluations import (
    Answer,
    EvaluationRow,
    borrow_answers,
    close_evaluation,
    find_evaluation,
    forget_other_answers,
    read_answered_positions,
    write_answers,
)
from adastar_core.store.incidents import JUDGED_AGAIN
from adastar_core.store.locks import evaluate_alone
from adastar_core.store.numerics import all_rounded_alike
from adastar_core.streams import stream_key
from adastar_core.verifiers.batch import verify_all


def evaluate(workspace: Workspace, iteration: int, split: Split) -> EvaluateManifest:
    """Answer every item of the split that has no stored answer, then record the totals.

    Args:
        workspace: The run.
        iteration: The checkpoint's iteration; 0 is the base model.
        split: Validation or test.
    """
    if found := find_evaluate(workspace, iteration, split):
        return found
    content = content_sha256(workspace, iteration, split)
    # Runs that start together share the base model; one evaluates it and the others copy its answers.
    alone = evaluate_alone(workspace.engine, content, workspace.ref.name, workspace.progress.line)
    with alone if iteration == 0 else nullcontext():
        _begin(workspace, iteration, split, content)
        _answer(workspace, iteration, split)
        return _manifest(_total(workspace, iteration, split, content))


def _begin(workspace: Workspace, iteration: int, split: Split, content: str) -> None:
    """Keep the answers that this version of the verifier judged, and borrow: verdicts of two are never added up."""
    verifier = _judged_by(workspace)
    with workspace.lease.transaction() as connection:
        forgotten = forget_other_answers(connection, workspace.run_id, iteration, split, verifier)
        if forgotten:
            detail = f"{forgotten:,} {split} answers are given again, since {verifier} judges them now"
            workspace.note(connection, iteration, Incident(JUDGED_AGAIN, detail))
        borrow_answers(connection, workspace.run_id, iteration, split, content, verifier)


def _judged_by(workspace: Workspace) -> str:
    """Return the version of the verifier, and that of voting where samples vote."""
    version = workspace.problem.verifier.version
    return f"{version}+{voting.VERSION}" if workspace.config.evaluation.samples > 1 else version


def find_evaluate(workspace: Workspace, iteration: int, split: Split) -> EvaluateManifest | None:
    """Return the evaluation that the store holds; ``None`` until it is complete."""
    found = workspace.read(find_evaluation, iteration, split)
    return _manifest(found) if found else None


def _manifest(row: EvaluationRow) -> EvaluateManifest:
    return EvaluateManifest(iteration=row.iteration, split=row.split, accuracy=row.accuracy)


def content_sha256(workspace: Workspace, iteration: int, split: Split) -> str:
    """Return the digest of all that decides the answers: checkpoint, prompts, references, decoding, rounding, verifier."""
    requests = _requests(workspace, split)
    items = [[one.prompt, one.stream, asdict(workspace.data[split][one.position])] for one in requests]
    checkpoint = workspace.checkpoint(iteration).sha256
    decoding = asdict(workspace.evaluation_decoding())
    ends = sorted(workspace.vocabulary.ends.ends)
    rounding = workspace.numerics.generation_sha256()
    content = [checkpoint, rounding, decoding, workspace.problem.verifier.version, items, ends]
    if workspace.config.evaluation.samples > 1:
        content.append(voting.VERSION)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _requests(workspace: Workspace, split: Split) -> list[GenerationRequest]:
    """Return every item's requests: one, or one per sample of self-consistency."""
    settings, seed = workspace.config.evaluation, workspace.config.seed
    requests = []
    for position, observation in enumerate(workspace.data[split]):
        prompt = workspace.problem.evaluation_prompt(observation, settings.shots)
        for sample in range(1, settings.samples + 1):
            name = (split.value, observation.observation_id, sample)
            stream = stream_key(seed, "evaluation", *name) if settings.samples > 1 else 0
            requests.append(GenerationRequest(position, sample, hinted=False, prompt=prompt, stream=stream))
    return requests


def _answer(workspace: Workspace, iteration: int, split: Split) -> None:
    answered = workspace.read(read_answered_positions, iteration, split)
    samples = workspace.config.evaluation.samples
    requests = sorted(_requests(workspace, split), key=lambda one: len(one.prompt))  # samples stay together
    size = max(workspace.config.generator.batch_size // samples, 1) * samples
    left = [batch for batch in batches(requests, size) if any(one.position not in answered for one in batch)]
    checkpoint = workspace.checkpoint(iteration)
    items = sum(map(len, left)) // samples
    with workspace.progress.stage(f"t={iteration} evaluate {split}", items, "answer") as bar:
        for batch in left:
            started = time.monotonic()
            attempts = workspace.generator(checkpoint).generate(batch, workspace.evaluation_decoding())
            verdicts = _verdicts(workspace, split, attempts)
            answers = _answers(workspace, split, attempts, verdicts)
            workspace.generators.proved_sha256(checkpoint.sha256)
            seconds = (time.monotonic() - started) / len(answers)
            with workspace.lease.transaction() as connection:
                write_answers(
                    connection, workspace.run_id, iteration, split, answers, seconds, _judged_by(workspace)
                )
                write_cut_short(connection, workspace.run_id, iteration, verdicts)
            bar.advance(len(answers), sum(attempt.generated_tokens for attempt in attempts))


def _verdicts(workspace: Workspace, split: Split, attempts: Sequence[Attempt]) -> list[Verdict]:
    items = workspace.data[split]
    responses = [(items[one.position], one.response, one.finish_reason) for one in attempts]
    return verify_all(workspace.problem.verifier, responses)


def _answers(
    workspace: Workspace, split: Split, attempts: Sequence[Attempt], verdicts: Sequence[Verdict]
) -> list[Answer]:
    """Return one answer per item, with the tokens of all of its samples."""
    by_item: dict[int, list[Answer]] = {}
    for attempt, verdict in zip(attempts, verdicts, strict=True):
        answer = Answer.of(workspace.data[split][attempt.position], attempt, verdict)
        by_item.setdefault(attempt.position, []).append(answer)
    return [voting.majority(samples) for samples in by_item.values()]


def _total(workspace: Workspace, iteration: int, split: Split, content: str) -> EvaluationRow:
    samples = workspace.config.evaluation.samples
    stage = f"evaluate {split}" if samples == 1 else f"evaluate {split} by self-consistency"
    with workspace.lease.transaction() as connection:
        # What a disturbed process answered is this run's own: another one would not find the same.
        alike = all_rounded_alike(connection, workspace.run_id, iteration, workspace.numerics)
        total = close_evaluation(
            connection,
            workspace.run_id,
            iteration,
            split,
            len(workspace.data[split]),
            workspace.evaluation_decoding(),
            samples=samples,
            content_sha256=content if alike else None,
            verifier=workspace.problem.verifier.version,
        )
        record_cost(connection, workspace, iteration, stage, total.tokens, total.seconds)
    return total
