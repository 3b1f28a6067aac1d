"""Rationales that another run has generated already: same checkpoint, prompt, random stream and decoding."""

from collections.abc import Sequence

from adastar_core.config import flatten
from adastar_core.problems.digests import prompt_sha256
from adastar_core.records import GenerationRequest
from adastar_core.runs.workspace import Workspace
from adastar_core.store.reuse import find_twins, read_twin_attempts
from adastar_core.store.rollouts import write_attempts

_APART = (
    "method",
    "schedule.first_steps",
    "schedule.growth",
    "schedule.train_on",
    "cut_off",
    "filter.",
    "alpha",
    "count_hinted_wins",
    "trainer.",
    "evaluation.",
)
"""Configuration keys that decide nothing of what a pass over the whole pool generates from a given checkpoint."""


def reuse_attempts(
    workspace: Workspace, iteration: int, requests: Sequence[GenerationRequest], checkpoint_sha256: str
) -> None:
    """Copy the attempts that other runs hold, with what they cost.

    Only on transformers, between runs that plan the same waves whatever is accepted (STaR and its variants with one
    seed, in their first iteration), and whose processes rounded alike: if batches may change a response, in batches of
    the same size. So what is copied is what would have been generated.
    """
    config = workspace.config
    if config.schedule.stop.by_acceptance or config.rationales == "reference" or workspace.control(iteration):
        return
    if workspace.generators.choice.engine != "transformers":
        return
    apart = [key for key in flatten(config.model_dump(mode="json")) if key.startswith(_APART)]
    left = {(wanted.position, wanted.attempt): wanted for wanted in requests}
    for twin in workspace.read(find_twins, iteration, checkpoint_sha256, apart, workspace.numerics):
        if not left:
            return
        with workspace.engine.connect() as connection:
            found = read_twin_attempts(connection, twin, iteration)
        same = []
        for attempt, prompt in found:
            wanted = left.get((attempt.position, attempt.attempt))
            # An attempt that was stored without ids would be trained otherwise.
            if wanted is None or not attempt.tokens:
                continue
            if (wanted.stream, prompt_sha256(wanted.prompt)) == (attempt.stream, prompt):
                same.append((attempt, prompt))
                del left[attempt.position, attempt.attempt]
        if same:
            attempts, prompts = zip(*same, strict=True)
            with workspace.lease.transaction() as connection:
                write_attempts(
                    connection, workspace.run_id, iteration, attempts, prompts, checkpoint_sha256, seconds=0.0
                )
