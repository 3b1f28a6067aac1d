"""Judge what was generated."""

from collections.abc import Sequence

from adastar_core.records import Attempt
from adastar_core.runs.judging import judge_stored, write_cut_short
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.asking import Asking
from adastar_core.stages.manifests import VerifyManifest
from adastar_core.stages.standing import accepted_of, enter_sampling, reached
from adastar_core.store.iterations import mark_judging
from adastar_core.store.verdicts import JudgedAttempt, write_verdicts


def verify(workspace: Workspace, iteration: int, wave: int) -> VerifyManifest:
    """Judge every stored attempt of the iteration that has no verdict of the problem's verifier.

    Where the filter asks the model, it asks in the batches of generation, so that a killed wave asks in the same ones.
    """
    if not workspace.progress.is_in(
        workspace.itinerary.sample(iteration)
    ):  # counted already where it generated
        enter_sampling(workspace, iteration)
    asking = Asking(workspace, iteration)

    def store(attempts: Sequence[Attempt], judged: Sequence[JudgedAttempt], left: int) -> None:
        positions = {attempt.position for attempt in attempts}
        before = reached(workspace, iteration, positions)
        accepted = accepted_of(workspace, iteration, positions)
        with (
            workspace.results.extending(iteration, attempts, judged),
            workspace.lease.transaction() as connection,
        ):
            write_verdicts(connection, workspace.run_id, iteration, judged)
            write_cut_short(connection, workspace.run_id, iteration - 1, [row.verdict for row in judged])
            mark_judging(connection, workspace.run_id, iteration, left)
            asking.record(connection)
        done = reached(workspace, iteration, positions) - before
        accepted = accepted_of(workspace, iteration, positions) - accepted
        workspace.progress.add(done, judged=len(judged), accepted=accepted)

    to_judge = (workspace.engine, workspace.judge, workspace.run_id, iteration, workspace.train, store)
    if workspace.config.filter.asks:
        judge_stored(*to_judge, ask=asking, at_once=workspace.config.generator.batch_size)
    else:
        judge_stored(*to_judge)
    judged = [attempt for attempts in workspace.results.of(iteration).values() for attempt in attempts]
    return VerifyManifest(
        iteration=iteration,
        wave=wave,
        judged=len(judged),
        right=sum(attempt.right for attempt in judged),
        verifier=workspace.problem.verifier.version,
    )
