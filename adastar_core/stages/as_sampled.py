"""The base model's validation accuracy in the form in which rationales are sampled: with exemplars where evaluation has none.

What a model gains in training may be no more than this form. The measurement is greedy, made once, and copied between runs.
"""

import time

from sqlalchemy import Connection

from adastar_core.compute import StageTokens
from adastar_core.errors import DataError
from adastar_core.generators import Decoding
from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.runs.lengths import check_prompts
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.costs import record_cost, tokens_of
from adastar_core.stages.evaluate import content_of
from adastar_core.stages.generate import batches
from adastar_core.store import as_sampled
from adastar_core.store.as_sampled import Given
from adastar_core.store.locks import evaluate_alone
from adastar_core.store.numerics import all_rounded_alike
from adastar_core.verifiers.batch import verify_all

STAGE = "evaluate validation as sampled"


def measure_as_sampled(workspace: Workspace) -> None:
    """Answer the validation items as rationales are sampled, where evaluations are prompted otherwise; done twice, it changes nothing."""
    if not is_prompted_otherwise(workspace) or workspace.read(as_sampled.find_cost):
        return
    items, prompt = workspace.data[Split.VALIDATION], workspace.problem.prompt
    try:
        check_prompts(workspace.config, "prompt of validation", map(prompt, items), items, workspace.base)
    except DataError as error:
        workspace.progress.line(f"The base model is not measured as rationales are sampled. {error}")
        return
    requests = [
        GenerationRequest(position, 1, hinted=False, prompt=prompt(item), stream=0)
        for position, item in enumerate(items)
    ]
    decoding = Decoding(
        greedy=True, temperature=1.0, top_p=1.0, max_new_tokens=workspace.evaluation_decoding().max_new_tokens,
        stop=workspace.problem.stop, answer=workspace.answer,
    )  # fmt: skip
    content = content_of(workspace, 0, Split.VALIDATION, requests, decoding)
    with evaluate_alone(workspace.engine, content, workspace.ref.name, workspace.progress.line):
        with workspace.lease.transaction() as connection:
            as_sampled.borrow_as_sampled(connection, workspace.run_id, content)
            _record_cost(workspace, connection)
        if not workspace.read(as_sampled.find_cost):
            _answer(workspace, requests, decoding, content)


def is_prompted_otherwise(workspace: Workspace) -> bool:
    """Return whether a model's rationales are sampled from other prompts than evaluations have."""
    problem, config = workspace.problem, workspace.config
    first = workspace.data[Split.VALIDATION][0]
    differs = problem.prompt(first) != problem.evaluation_prompt(first, config.evaluation.shots)
    return config.rationales == "model" and differs


def _answer(
    workspace: Workspace, requests: list[GenerationRequest], decoding: Decoding, content: str
) -> None:
    items, checkpoint, started = workspace.data[Split.VALIDATION], workspace.checkpoint(0), time.monotonic()
    made: list[Attempt] = []
    workspace.progress.line(
        f"The base model answers {len(items):,} validation questions as rationales are sampled."
    )
    ordered = sorted(requests, key=lambda one: len(one.prompt))
    for batch in batches(ordered, workspace.config.generator.batch_size):
        made += workspace.generator(checkpoint).generate(batch, decoding)
        workspace.generators.proved_sha256(checkpoint.sha256)
        workspace.at_work()
    made.sort(key=lambda attempt: attempt.position)
    verifier = workspace.problem.verifier
    verdicts = verify_all(verifier, [(items[one.position], one.response, one.finish_reason) for one in made])
    given = [
        Given(attempt.response, verdict.extracted, verdict.outcome)
        for attempt, verdict in zip(made, verdicts, strict=True)
    ]
    with workspace.lease.transaction() as connection:
        alike = all_rounded_alike(connection, workspace.run_id, 0, workspace.numerics)
        as_sampled.write_as_sampled(
            connection, workspace.run_id, given, sum(map(tokens_of, made), StageTokens()), time.monotonic() - started, content if alike else None,
            verifier.version,
        )  # fmt: skip
        _record_cost(workspace, connection)


def _record_cost(workspace: Workspace, connection: Connection) -> None:
    if cost := as_sampled.find_cost(connection, workspace.run_id):
        record_cost(connection, workspace, 0, STAGE, *cost)
