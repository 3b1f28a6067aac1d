"""Generate a wave's attempts, one transaction per batch.

While a batch is generated, the one before it is stored and its verdicts are reached, in a thread. The verdicts are stored
when the wave is: a process that is killed inside a wave must plan the same one again.
"""

import time
from collections.abc import Sequence
from functools import partial

from adastar_core.machine.behind import behind
from adastar_core.problems.digests import prompt_sha256
from adastar_core.records import Attempt, GenerationRequest
from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Planned
from adastar_core.stages.costs import hold
from adastar_core.stages.manifests import GenerateManifest
from adastar_core.stages.reuse import reuse_attempts
from adastar_core.stages.sample import plan_wave
from adastar_core.stages.standing import enter_sampling
from adastar_core.store.rollouts import read_attempt_keys, write_attempts
from adastar_core.streams import rationale_key


def generate(workspace: Workspace, iteration: int, wave: int) -> GenerateManifest:
    """Generate the wave's attempts that are not stored yet.

    A wave that was killed resumes in the batches it would have had: a batch's rows are padded to one length, which may
    change a response by rounding.
    """
    plan = workspace.plan
    planned = plan[2] if plan and plan[:2] == (iteration, wave) else plan_wave(workspace, iteration)
    checkpoint = workspace.checkpoint(iteration - 1)
    requests = [request(workspace, iteration, attempt) for attempt in planned]
    # Prompts of one length make rationales of about one length, which wastes the fewest padded steps.
    requests.sort(key=lambda wanted: len(wanted.prompt))
    reuse_attempts(workspace, iteration, requests, checkpoint.sha256)
    stored = workspace.read(read_attempt_keys, iteration, [attempt.position for attempt in planned])
    left = [
        batch
        for batch in batches(requests, workspace.config.generator.batch_size)
        if any((wanted.position, wanted.attempt) not in stored for wanted in batch)
    ]
    decoding = workspace.sampling_decoding(iteration)
    enter_sampling(workspace, iteration, len(planned))
    if left and workspace.config.rationales == "model":
        hold(workspace, iteration, checkpoint)
    with behind() as storing:
        for batch in left:
            started = time.monotonic()
            attempts = workspace.rationales(checkpoint).generate(batch, decoding)
            proved = workspace.generators.proved_sha256(checkpoint.sha256)
            seconds = (time.monotonic() - started) / len(batch)
            storing.do(partial(_store, workspace, iteration, batch, attempts, proved, seconds))
            new = sum((wanted.position, wanted.attempt) not in stored for wanted in batch)
            workspace.progress.add(attempts=new, tokens=sum(attempt.generated_tokens for attempt in attempts))
    return GenerateManifest(
        iteration=iteration, wave=wave, attempts=len(planned), checkpoint_sha256=checkpoint.sha256
    )


def _store(
    workspace: Workspace,
    iteration: int,
    batch: Sequence[GenerationRequest],
    attempts: Sequence[Attempt],
    proved_sha256: str,
    seconds: float,
) -> None:
    prompts = [prompt_sha256(wanted.prompt) for wanted in batch]
    with workspace.lease.transaction() as connection:
        write_attempts(connection, workspace.run_id, iteration, attempts, prompts, proved_sha256, seconds)
    workspace.judge.reach(workspace.train, attempts)


def request(workspace: Workspace, iteration: int, planned: Planned) -> GenerationRequest:
    """Return a planned attempt with its prompt and its random stream."""
    observation = workspace.train[planned.position]
    render = workspace.problem.hinted_prompt if planned.hinted else workspace.problem.prompt
    key = rationale_key(workspace.config.seed, iteration, observation.observation_id, planned.attempt)
    return GenerationRequest(planned.position, planned.attempt, planned.hinted, render(observation), key)


def batches(requests: Sequence[GenerationRequest], size: int) -> list[Sequence[GenerationRequest]]:
    """Return the requests in batches of ``size``, in their order; the last may be smaller."""
    return [requests[start : start + size] for start in range(0, len(requests), size)]
