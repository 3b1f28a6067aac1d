"""Accuracy of a checkpoint on a split, one stored row per judged item.

Answers are greedy, or the majority of several samples (self-consistency). An evaluation with the same content as a
stored one, such as the base model's in another run, is copied with its costs.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict

from adastar_core.generators import Decoding
from adastar_core.progress import Counts
from adastar_core.records import GenerationRequest, Incident, Split
from adastar_core.runs.judging import write_cut_short
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import voting
from adastar_core.stages.costs import hold, record_cost
from adastar_core.stages.generate import batches
from adastar_core.stages.manifests import EvaluateManifest
from adastar_core.store import evaluations
from adastar_core.store.evaluations import Answer, EvaluationRow
from adastar_core.store.incidents import JUDGED_AGAIN
from adastar_core.store.locks import evaluate_alone
from adastar_core.store.numerics import all_rounded_alike
from adastar_core.streams import stream_key
from adastar_core.verifiers.batch import verify_all


def evaluate(workspace: Workspace, iteration: int, split: Split) -> EvaluateManifest:
    """Answer every item that has no stored answer, then record the totals. Iteration 0 is the base model."""
    if found := find_evaluate(workspace, iteration, split):
        return found
    content = content_sha256(workspace, iteration, split)
    # Runs that start together share the base model; one evaluates it and the others copy its answers.
    alone = evaluate_alone(workspace.engine, content, workspace.ref.name, workspace.progress.line)
    with alone if iteration == 0 else nullcontext():
        verifier = _judged_by(workspace)
        with workspace.lease.transaction() as connection:
            # Answers that another version judged are given again: verdicts of two versions are never added up.
            if forgotten := evaluations.forget_other_answers(
                connection, workspace.run_id, iteration, split, verifier
            ):
                detail = f"{forgotten:,} {split} answers are given again, since {verifier} judges them now"
                workspace.note(connection, iteration, Incident(JUDGED_AGAIN, detail))
            evaluations.borrow_answers(connection, workspace.run_id, iteration, split, content, verifier)
        _answer(workspace, iteration, split)
        return _manifest(_total(workspace, iteration, split, content))


def find_evaluate(workspace: Workspace, iteration: int, split: Split) -> EvaluateManifest | None:
    """Return the manifest of a recorded evaluation; ``None`` if it has not been done."""
    found = workspace.read(evaluations.find_evaluation, iteration, split)
    return _manifest(found) if found else None


def _manifest(row: EvaluationRow) -> EvaluateManifest:
    return EvaluateManifest(iteration=row.iteration, split=row.split, accuracy=row.accuracy)


def _judged_by(workspace: Workspace) -> str:
    version = workspace.problem.verifier.version
    return f"{version}+{voting.VERSION}" if workspace.config.evaluation.samples > 1 else version


def content_sha256(workspace: Workspace, iteration: int, split: Split) -> str:
    """Return the digest of all that decides the answers of an evaluation."""
    requests, decoding = _requests(workspace, split), workspace.evaluation_decoding()
    voting_too = [voting.VERSION] if workspace.config.evaluation.samples > 1 else []
    return content_of(workspace, iteration, split, requests, decoding, *voting_too)


def content_of(
    workspace: Workspace,
    iteration: int,
    split: Split,
    requests: Sequence[GenerationRequest],
    decoding: Decoding,
    *more: str,
) -> str:
    """Return the digest of what decides answers: checkpoint, prompts, references, decoding, rounding, verifier, and more."""
    items = [
        [wanted.prompt, wanted.stream, asdict(workspace.data[split][wanted.position])] for wanted in requests
    ]
    checkpoint = workspace.checkpoint(iteration).sha256
    ends = sorted(workspace.vocabulary.ends.ends)
    rounding = workspace.numerics.generation_sha256()
    content = [
        checkpoint,
        rounding,
        decoding.decisive(),
        workspace.problem.verifier.version,
        items,
        ends,
        *more,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _requests(workspace: Workspace, split: Split) -> list[GenerationRequest]:
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
    """Generate and judge what has no stored answer, one transaction per batch."""
    answered = workspace.read(evaluations.read_answered_positions, iteration, split)
    samples, items = workspace.config.evaluation.samples, workspace.data[split]
    # Prompts of one length waste the fewest padded steps. The sort is stable, so an item's samples stay together.
    requests = sorted(_requests(workspace, split), key=lambda wanted: len(wanted.prompt))
    size = max(workspace.config.generator.batch_size // samples, 1) * samples
    left = [
        batch for batch in batches(requests, size) if any(wanted.position not in answered for wanted in batch)
    ]
    checkpoint, decoding = workspace.checkpoint(iteration), workspace.evaluation_decoding()
    if left:
        workspace.progress.enter(workspace.itinerary.evaluate(iteration, split), Counts(len(answered)))
        hold(workspace, iteration, checkpoint)
    for batch in left:
        started = time.monotonic()
        attempts = workspace.generator(checkpoint).generate(batch, decoding)
        responses = [(items[made.position], made.response, made.finish_reason) for made in attempts]
        verdicts = verify_all(workspace.problem.verifier, responses)
        by_item: dict[int, list[Answer]] = {}
        for attempt, verdict in zip(attempts, verdicts, strict=True):
            answer = Answer.of(items[attempt.position], attempt, verdict)
            by_item.setdefault(attempt.position, []).append(answer)
        answers = list(map(voting.majority, by_item.values()))
        workspace.generators.proved_sha256(checkpoint.sha256)
        seconds = (time.monotonic() - started) / len(answers)
        with workspace.lease.transaction() as connection:
            evaluations.write_answers(
                connection, workspace.run_id, iteration, split, answers, seconds, _judged_by(workspace)
            )
            write_cut_short(connection, workspace.run_id, iteration, verdicts)
        new = len(by_item.keys() - answered)
        workspace.progress.add(new, tokens=sum(attempt.generated_tokens for attempt in attempts))


def _total(workspace: Workspace, iteration: int, split: Split, content: str) -> EvaluationRow:
    samples = workspace.config.evaluation.samples
    stage = f"evaluate {split}" if samples == 1 else f"evaluate {split} by self-consistency"
    with workspace.lease.transaction() as connection:
        # What a disturbed process answered is this run's own: another one would not find the same.
        alike = all_rounded_alike(connection, workspace.run_id, iteration, workspace.numerics)
        total = evaluations.close_evaluation(
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
