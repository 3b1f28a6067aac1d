"""Greedy accuracy of a checkpoint on a split, one stored row per judged item."""

import time
from collections.abc import Sequence

from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.stages.costs import record_cost
from adastar_core.stages.manifests import EvaluateManifest
from adastar_core.stages.sampling import batches
from adastar_core.stages.workspace import Workspace
from adastar_core.store.evaluations import (
    Answer,
    EvaluationRow,
    close_evaluation,
    find_evaluation,
    read_answered_positions,
    write_answers,
)
from adastar_core.verifiers.batch import verify_all


def evaluate(workspace: Workspace, iteration: int, split: Split) -> EvaluateManifest:
    """Answer every item of the split that has no stored answer, then record the totals.

    Args:
        workspace: The run.
        iteration: The checkpoint's iteration; 0 is the base model.
        split: Validation or test.
    """
    with workspace.engine.connect() as connection:
        found = find_evaluation(connection, workspace.run_id, iteration, split)
    if found is None:
        _answer(workspace, iteration, split)
        found = _total(workspace, iteration, split)
    return EvaluateManifest(iteration=iteration, split=split, correct=found.correct, total=found.total)


def _answer(workspace: Workspace, iteration: int, split: Split) -> None:
    with workspace.engine.connect() as connection:
        answered = read_answered_positions(connection, workspace.run_id, iteration, split)
    requests = [
        GenerationRequest(position, 1, hinted=False, prompt=workspace.problem.prompt(observation), stream=0)
        for position, observation in enumerate(workspace.data[split])
        if position not in answered
    ]
    requests.sort(key=lambda one: len(one.prompt))
    checkpoint = workspace.checkpoint(iteration)
    with workspace.progress.stage(f"t={iteration} evaluate {split}", len(requests), "answer") as bar:
        for batch in batches(requests, workspace.config.generator.batch_size):
            started = time.monotonic()
            attempts = workspace.generator(checkpoint).generate(batch, workspace.greedy_decoding())
            answers = _judged(workspace, split, attempts)
            seconds = (time.monotonic() - started) / len(batch)
            with workspace.lease.transaction() as connection:
                write_answers(connection, workspace.run_id, iteration, split, answers, seconds)
            bar.advance(len(batch), sum(attempt.generated_tokens for attempt in attempts))


def _judged(workspace: Workspace, split: Split, attempts: Sequence[Attempt]) -> list[Answer]:
    responses = [(workspace.data[split][one.position], one.response, one.finish_reason) for one in attempts]
    verdicts = verify_all(workspace.problem.verifier, responses)
    return [
        Answer.of(observation, attempt, verdict)
        for (observation, _, _), attempt, verdict in zip(responses, attempts, verdicts, strict=True)
    ]


def _total(workspace: Workspace, iteration: int, split: Split) -> EvaluationRow:
    items = len(workspace.data[split])
    with workspace.lease.transaction() as connection:
        total = close_evaluation(
            connection, workspace.run_id, iteration, split, items, workspace.greedy_decoding()
        )
        record_cost(connection, workspace, iteration, f"evaluate {split}", total.tokens, total.seconds)
    return total
