"""Sample, generate, verify: waves of attempts until beta_t rationales are accepted or the pool is exhausted.

A wave is what the verdicts so far leave to be done, so it needs no record of its own: a process that was
killed inside one plans the same wave again and generates only the attempts that are not stored yet.
"""

import hashlib
import time
from collections.abc import Sequence

from adastar_core import selection
from adastar_core.errors import NothingAccepted
from adastar_core.problems import Problem
from adastar_core.records import Attempt, GenerationRequest, Incident, Observation
from adastar_core.runs.judging import judge_stored, write_cut_short
from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Planned, Selection
from adastar_core.stages.calibrate import calibrate
from adastar_core.stages.costs import record_generation
from adastar_core.stages.manifests import GenerateManifest, SampleManifest, VerifyManifest
from adastar_core.stages.reuse import prompt_sha256, reuse_attempts
from adastar_core.store.incidents import JUDGED_AGAIN
from adastar_core.store.iterations import (
    IterationRow,
    close_sampling,
    find_iteration,
    judge_by,
    mark_judging,
    read_iteration,
    start_iteration,
)
from adastar_core.store.rollouts import read_attempt_keys, read_responses, write_attempts
from adastar_core.store.training import ExampleKey, write_training_examples
from adastar_core.store.verdicts import JudgedAttempt, write_verdicts
from adastar_core.streams import generator as stream
from adastar_core.streams import rationale_key


def sample(workspace: Workspace, iteration: int, wave: int) -> SampleManifest:
    """Plan the next wave; when nothing is left to do, close the iteration's sampling.

    Raises:
        NothingAccepted: Sampling is over and D+ is empty.
    """
    row = _opened(workspace, iteration)
    if row.phase != "sampling":
        return _manifest(row)
    if row.verifier != workspace.problem.verifier.version:
        _judge_again(workspace, row, wave)
    elif row.judging:
        verify(workspace, iteration, wave)
    calibrate(workspace, iteration)
    planned = plan_wave(workspace, iteration)
    workspace.plan = (iteration, wave, planned)
    return _manifest(row if planned else _close(workspace, iteration), len(planned))


def find_sample(workspace: Workspace, iteration: int) -> SampleManifest | None:
    """Return the iteration's sampling as the store closed it; ``None`` while it is open.

    The order of a sampled iteration is gone once it has advanced: nothing may be planned from today's.
    """
    with workspace.engine.connect() as connection:
        row = find_iteration(connection, workspace.run_id, iteration)
    return None if row is None or row.phase == "sampling" else _manifest(row)


def _manifest(row: IterationRow, planned: int = 0) -> SampleManifest:
    return SampleManifest(
        iteration=row.iteration, planned=planned, beta=row.beta, m=row.m or 0, accepted=row.accepted or 0
    )


def _opened(workspace: Workspace, iteration: int) -> IterationRow:
    """Return the iteration, opened if need be. Nothing is written, nor waited for, where it is open already."""
    with workspace.engine.connect() as connection:
        if row := find_iteration(connection, workspace.run_id, iteration):
            return row
    with workspace.lease.transaction() as connection:
        entered = start_iteration(
            connection,
            workspace.run_id,
            iteration,
            checkpoint_iteration=iteration - 1,
            beta=workspace.config.beta(iteration),
            observations=len(workspace.train),
            verifier=workspace.problem.verifier.version,
        )
        row = read_iteration(connection, workspace.run_id, iteration)
    if entered:
        workspace.forget_sampler()
    return row


def _judge_again(workspace: Workspace, row: IterationRow, wave: int) -> None:
    """Judge an open iteration's attempts by the verifier of now: one version decides on all of them."""
    version = workspace.problem.verifier.version
    detail = f"{version} judges all of its attempts, since it took the place of {row.verifier} within the iteration"
    with workspace.lease.transaction() as connection:
        judge_by(connection, workspace.run_id, row.iteration, version)
        workspace.note(connection, row.iteration, Incident(JUDGED_AGAIN, detail))
    verify(workspace, row.iteration, wave)


def plan_wave(workspace: Workspace, iteration: int) -> list[Planned]:
    """Return the attempts that the stored verdicts leave to be made now."""
    return selection.next_attempts(
        workspace.sampler(iteration).order(iteration),
        workspace.results.of(iteration),
        workspace.rules(iteration),
        workspace.config.beta(iteration),
        workspace.config.generator.batch_size,
    )


def planned_wave(workspace: Workspace, iteration: int, wave: int) -> list[Planned]:
    """Return the wave as :func:`sample` planned it in this process, or planned anew."""
    if workspace.plan is not None and workspace.plan[:2] == (iteration, wave):
        return workspace.plan[2]
    return plan_wave(workspace, iteration)


def read_selection(workspace: Workspace, iteration: int) -> Selection:
    """Return what the iteration selected, replayed from the stored verdicts."""
    return selection.close(
        workspace.sampler(iteration).order(iteration),
        workspace.results.of(iteration),
        workspace.rules(iteration),
        workspace.config.beta(iteration),
    )


def trained_part(workspace: Workspace, iteration: int, selected: Selection) -> Selection:
    """Return the selection with those accepted rationales alone that are trained on."""
    if workspace.config.schedule.train_on == "accepted":
        return selected
    choice = stream(workspace.config.seed, "down-sample", iteration)
    return selection.thin(selected, workspace.config.beta(iteration), choice)


def generate(workspace: Workspace, iteration: int, wave: int) -> GenerateManifest:
    """Generate the wave's attempts that are not stored yet, one transaction per batch.

    A wave that was killed goes on in the batches it would have had, so that rounding cannot tell the two apart.
    """
    planned = planned_wave(workspace, iteration, wave)
    checkpoint = workspace.checkpoint(iteration - 1)
    requests = [request(workspace, iteration, one) for one in planned]
    # Prompts of one length make rationales of about one length, which wastes the fewest padded steps.
    requests.sort(key=lambda one: len(one.prompt))
    reuse_attempts(workspace, iteration, requests, checkpoint.sha256)
    with workspace.engine.connect() as connection:
        stored = read_attempt_keys(connection, workspace.run_id, iteration, [one.position for one in planned])
    left = [
        batch
        for batch in batches(requests, workspace.config.generator.batch_size)
        if any((one.position, one.attempt) not in stored for one in batch)
    ]
    with workspace.progress.stage(f"t={iteration} generate", sum(map(len, left)), "attempt") as bar:
        for batch in left:
            started = time.monotonic()
            attempts = workspace.rationales(checkpoint).generate(
                batch, workspace.sampling_decoding(iteration)
            )
            proved = workspace.generators.proved_sha256(checkpoint)
            _store_attempts(workspace, iteration, batch, attempts, proved, time.monotonic() - started)
            bar.advance(len(batch), sum(one.generated_tokens for one in attempts))
    return GenerateManifest(
        iteration=iteration, wave=wave, attempts=len(planned), checkpoint_sha256=checkpoint.sha256
    )


def request(workspace: Workspace, iteration: int, planned: Planned) -> GenerationRequest:
    """Return the generation request of a planned attempt."""
    observation = workspace.train[planned.position]
    render = workspace.problem.hinted_prompt if planned.hinted else workspace.problem.prompt
    key = rationale_key(workspace.config.seed, iteration, observation.observation_id, planned.attempt)
    return GenerationRequest(planned.position, planned.attempt, planned.hinted, render(observation), key)


def batches(requests: Sequence[GenerationRequest], size: int) -> list[Sequence[GenerationRequest]]:
    """Return ``requests`` in slices of ``size``."""
    return [requests[start : start + size] for start in range(0, len(requests), size)]


def verify(workspace: Workspace, iteration: int, wave: int) -> VerifyManifest:
    """Judge every stored attempt of the iteration that has no verdict of the problem's verifier."""
    version = workspace.problem.verifier.version

    def store(attempts: Sequence[Attempt], judged: Sequence[JudgedAttempt], left: int) -> None:
        with (
            workspace.results.extending(iteration, attempts, judged),
            workspace.lease.transaction() as connection,
        ):
            write_verdicts(connection, workspace.run_id, iteration, judged)
            write_cut_short(connection, workspace.run_id, iteration - 1, [one.verdict for one in judged])
            mark_judging(connection, workspace.run_id, iteration, left)

    judge_stored(workspace.engine, workspace.judge, workspace.run_id, iteration, workspace.train, store)
    judged = [one for attempts_of_one in workspace.results.of(iteration).values() for one in attempts_of_one]
    return VerifyManifest(
        iteration=iteration,
        wave=wave,
        judged=len(judged),
        right=sum(one.right for one in judged),
        verifier=version,
    )


def _store_attempts(
    workspace: Workspace,
    iteration: int,
    batch: Sequence[GenerationRequest],
    attempts: Sequence[Attempt],
    checkpoint_sha256: str,
    seconds: float,
) -> None:
    digests = [prompt_sha256(one.prompt) for one in batch]
    with workspace.lease.transaction() as connection:
        write_attempts(
            connection,
            workspace.run_id,
            iteration,
            attempts,
            digests,
            checkpoint_sha256,
            seconds / len(batch),
        )


def _close(workspace: Workspace, iteration: int) -> IterationRow:
    """Record what the iteration selected: D+, its counts, and what generation cost."""
    selected = read_selection(workspace, iteration)
    if not selected.accepted:
        raise NothingAccepted(_advice(workspace, iteration, selected))
    keys = _example_keys(workspace, iteration, trained_part(workspace, iteration, selected))
    with workspace.lease.transaction() as connection:
        write_training_examples(connection, workspace.run_id, iteration, keys)
        record_generation(connection, workspace, iteration, selected)
        close_sampling(connection, workspace.run_id, iteration, selected, workspace.problem.verifier.version)
        return read_iteration(connection, workspace.run_id, iteration)


def _example_keys(workspace: Workspace, iteration: int, selected: Selection) -> list[ExampleKey]:
    with workspace.engine.connect() as connection:
        responses = read_responses(connection, workspace.run_id, iteration, selected.accepted)
    return [
        ExampleKey(position, attempt, text_sha256(workspace, position, response))
        for (position, attempt), response in zip(selected.accepted, responses, strict=True)
    ]


def text_sha256(workspace: Workspace, position: int, response: str) -> str:
    """Return the digest of a training text: prompt and rationale."""
    return training_text_sha256(workspace.problem, workspace.train[position], response)


def training_text_sha256(problem: Problem, observation: Observation, response: str) -> str:
    """Return the digest of the training text of an observation and a rationale for it."""
    return hashlib.sha256(f"{problem.training_prompt(observation)}\x1f{response}".encode()).hexdigest()


def _advice(workspace: Workspace, iteration: int, selected: Selection) -> str:
    judged = [one for attempts in workspace.results.of(iteration).values() for one in attempts]
    if right := sum(one.right for one in judged):
        return (
            f"0 of {selected.m} observations accepted in iteration {iteration} of run {workspace.ref.name!r}: the "
            f"rationale filter rejected all {right} right answers, so there is nothing to train on. Look at why "
            f"with `SELECT rejected_by, rejected_because FROM verdicts WHERE run_id = {workspace.run_id} AND rejected_by "
            "IS NOT NULL LIMIT 20`; then switch that rule off (e.g. filter.empty: false), or try a model that gives reasons."
        )
    return (
        f"0 of {selected.m} observations accepted in iteration {iteration} of run {workspace.ref.name!r}: the model "
        f"{workspace.config.model!r} answered none of them right, so there is nothing to train on. Look at its "
        f"answers with `SELECT response FROM rollouts WHERE run_id = {workspace.run_id} LIMIT 20`; then try a stronger "
        f"or pre-trained base model (model), more attempts (attempts, now {workspace.config.attempts}), longer "
        f"rationales (generator.max_new_tokens, now {workspace.config.generator.max_new_tokens}), hints "
        "(rationalize: true), or easier observations."
    )
