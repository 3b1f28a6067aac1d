"""Plan the waves of an iteration until beta_t rationales are accepted or the pool is exhausted, then close its sampling.

A wave follows from the verdicts so far, so it needs no record: a process that was killed inside one plans the same wave
again and generates only the attempts that are not stored yet.
"""

from adastar_core import selection
from adastar_core.errors import NothingAccepted
from adastar_core.problems.digests import training_text_sha256
from adastar_core.records import Incident
from adastar_core.runs.workspace import Workspace
from adastar_core.samplers.revising import order_given
from adastar_core.selection import Planned, Selection
from adastar_core.stages.calibrate import calibrate
from adastar_core.stages.costs import record_generation
from adastar_core.stages.manifests import SampleManifest
from adastar_core.stages.trained import trained_part
from adastar_core.stages.verify import verify
from adastar_core.store import iterations
from adastar_core.store.certain import write_certain
from adastar_core.store.examples import ExampleKey, write_training_examples
from adastar_core.store.incidents import JUDGED_AGAIN
from adastar_core.store.iterations import IterationRow
from adastar_core.store.rollouts import read_responses
from adastar_core.store.verdicts import reject_guesses


def sample(workspace: Workspace, iteration: int, wave: int) -> SampleManifest:
    """Plan the next wave; when nothing is left to do, close the iteration's sampling.

    Raises:
        NothingAccepted: Sampling is over and D+ is empty.
    """
    row = workspace.read(iterations.find_iteration, iteration) or _open(workspace, iteration)
    if row.phase != "sampling":
        return _manifest(row)
    version = workspace.problem.verifier.version
    if row.verifier != version:
        # One version of the verifier decides on all attempts of an iteration.
        detail = f"{version} replaced {row.verifier} within the iteration and judges all of its attempts"
        with workspace.lease.transaction() as connection:
            iterations.judge_by(connection, workspace.run_id, iteration, version)
            workspace.note(connection, iteration, Incident(JUDGED_AGAIN, detail))
    if row.verifier != version or row.judging:
        verify(workspace, iteration, wave)
    calibrate(workspace, iteration)
    planned = plan_wave(workspace, iteration)
    workspace.plan = (iteration, wave, planned)
    return _manifest(row if planned else _close(workspace, iteration), len(planned))


def find_sample(workspace: Workspace, iteration: int) -> SampleManifest | None:
    """Return the iteration's sampling as the store closed it; ``None`` while it is open.

    The order of a sampled iteration is gone once it has advanced: nothing may be planned from today's.
    """
    row = workspace.read(iterations.find_iteration, iteration)
    return None if row is None or row.phase == "sampling" else _manifest(row)


def _manifest(row: IterationRow, planned: int = 0) -> SampleManifest:
    return SampleManifest(
        iteration=row.iteration, planned=planned, beta=row.beta, m=row.m or 0, accepted=row.accepted or 0
    )


def _open(workspace: Workspace, iteration: int) -> IterationRow:
    with workspace.lease.transaction() as connection:
        entered = iterations.start_iteration(
            connection,
            workspace.run_id,
            iteration,
            checkpoint_iteration=iteration - 1,
            beta=workspace.config.beta(iteration),
            observations=len(workspace.train),
            verifier=workspace.problem.verifier.version,
        )
        row = iterations.read_iteration(connection, workspace.run_id, iteration)
    if entered:  # observations that the data has gained: the sampler in memory does not know them
        workspace.forget_sampler()
    return row


def plan_wave(workspace: Workspace, iteration: int) -> list[Planned]:
    """Return the attempts that the stored verdicts leave to be made now."""
    results, rules = workspace.results.of(iteration), workspace.rules(iteration)
    return selection.next_attempts(
        order_given(workspace.sampler(iteration), iteration, results, rules),
        results,
        rules,
        workspace.config.beta(iteration),
        workspace.config.generator.batch_size,
    )


def read_selection(workspace: Workspace, iteration: int) -> Selection:
    """Return what the iteration selected, replayed from the stored verdicts."""
    results, rules = workspace.results.of(iteration), workspace.rules(iteration)
    order = order_given(workspace.sampler(iteration), iteration, results, rules)
    return selection.close(order, results, rules, workspace.config.beta(iteration))


def _close(workspace: Workspace, iteration: int) -> IterationRow:
    """Record what the iteration selected: D+, its counts, and what generation cost."""
    _reject_guesses(workspace, iteration)
    selected = read_selection(workspace, iteration)
    if not selected.accepted:
        with workspace.lease.transaction() as connection:
            record_generation(connection, workspace, iteration, selected)
        raise NothingAccepted(_advice(workspace, iteration, selected))
    trained = trained_part(workspace, iteration, selected)
    pairs = trained.selection.accepted
    responses = workspace.read(read_responses, iteration, pairs)
    keys = []
    for (position, attempt), text in zip(pairs, responses, strict=True):
        digest = training_text_sha256(workspace.problem, workspace.train[position], text)
        keys.append(ExampleKey(position, attempt, digest))
    with workspace.lease.transaction() as connection:
        write_training_examples(connection, workspace.run_id, iteration, keys)
        record_generation(connection, workspace, iteration, selected)
        if trained.certain:
            write_certain(connection, workspace.run_id, iteration, trained.certain)
        iterations.close_sampling(
            connection, workspace.run_id, iteration, selected, workspace.problem.verifier.version
        )
        return iterations.read_iteration(connection, workspace.run_id, iteration)


def _reject_guesses(workspace: Workspace, iteration: int) -> None:
    """Store which right attempts guessing explains; done twice, it changes nothing.

    Before anything is closed: where nothing is accepted, the run ends, and the reasons must be there to be looked at.
    """
    if (luck := workspace.rules(iteration).luck) is None:
        return
    counts = {
        position: (sum(attempt.right for attempt in judged), len(judged))
        for position, judged in workspace.results.of(iteration).items()
    }
    reasons = {
        position: luck.reason(position, *count)
        for position, count in counts.items()
        if luck.explains(position, *count)
    }
    version = workspace.problem.verifier.version
    with workspace.lease.transaction() as connection:
        reject_guesses(connection, workspace.run_id, iteration, version, reasons)


def _advice(workspace: Workspace, iteration: int, selected: Selection) -> str:
    where = f"in iteration {iteration} of run {workspace.run.name!r}"
    start = f"0 of {selected.m} observations accepted {where}: "
    judged = [attempt for attempts in workspace.results.of(iteration).values() for attempt in attempts]
    if right := sum(attempt.right for attempt in judged):
        guessed = (
            "" if workspace.config.filter.guessing is None else ", more attempts if guessing explains them"
        )
        return (
            f"{start}the rationale filter rejected all {right} right answers, so there is nothing to train on. Look at why "
            f"with `{workspace.command('rollouts', '--rejected')}`; then switch that rule off (e.g. filter.empty: false){guessed}, "
            "or try a model that gives reasons."
        )
    config = workspace.config
    return (
        f"{start}the model {config.model!r} answered none of them right, so there is nothing to train on. Look at its "
        f"answers with `{workspace.command('rollouts')}`; then try a stronger "
        f"or pre-trained base model (model), more attempts (attempts, now {config.attempts}), longer rationales "
        f"(generator.max_new_tokens, now {config.generator.max_new_tokens}), hints (rationalize: true), or easier "
        "observations."
    )
