"""What every stage of an iteration cost, as rows of the store's ``compute`` table."""

import time
from dataclasses import replace

from sqlalchemy import Connection

from adastar_core.compute import StageTokens, generation_pairs
from adastar_core.records import Attempt
from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Selection
from adastar_core.store.checkpoints import CheckpointRow
from adastar_core.store.costs import MODELS, remove_costs, write_costs
from adastar_core.store.rollouts import SAMPLED, read_generation_costs


def record_cost(
    connection: Connection,
    workspace: Workspace,
    iteration: int,
    stage: str,
    tokens: StageTokens,
    seconds: float,
    adapter_parameters: int = 0,
    *,
    add: bool = False,
) -> None:
    """Write the cost of a stage; the first write is kept, or with ``add`` each is added to it.

    Without an adapter it trained all parameters.
    """
    shape = replace(workspace.shape, adapter_parameters=adapter_parameters)
    write_costs(connection, workspace.run_id, iteration, stage, tokens, shape, seconds, add=add)


def hold(workspace: Workspace, iteration: int, checkpoint: CheckpointRow) -> None:
    """Make the generator hold a checkpoint, and record what that took as the iteration's work on models."""
    if workspace.generators.holds(checkpoint.sha256):
        return
    started = time.monotonic()
    workspace.generator(checkpoint)
    with workspace.lease.transaction() as connection:
        record_models(connection, workspace, iteration, time.monotonic() - started)


def record_models(connection: Connection, workspace: Workspace, iteration: int, seconds: float) -> None:
    """Add to what loading, saving and sharing models took in an iteration. It grows with the model, not with the data."""
    record_cost(connection, workspace, iteration, MODELS, StageTokens(), max(seconds, 0.0), add=True)


def tokens_of(attempt: Attempt) -> StageTokens:
    """Return what generating an attempt put through the model."""
    return StageTokens(
        prompt_tokens=attempt.prompt_tokens,
        padded_prompt_tokens=attempt.padded_prompt_tokens,
        generated_tokens=attempt.generated_tokens,
        padded_generated_tokens=attempt.padded_generated_tokens,
        attention_pairs=generation_pairs(attempt.prompt_tokens, attempt.generated_tokens),
    )


def record_generation(
    connection: Connection, workspace: Workspace, iteration: int, selected: Selection
) -> None:
    """Write the cost of generation: first attempts, retries, hinted attempts and surplus apart.

    It replaces what was written when nothing was accepted, which another version of the verifier may change.
    """
    remove_costs(connection, workspace.run_id, iteration, SAMPLED)
    counted = {visit.position: visit.attempts for visit in selected.visits}
    costs = read_generation_costs(connection, workspace.run_id, iteration, counted)
    for stage, (tokens, seconds) in costs.items():
        record_cost(connection, workspace, iteration, stage, tokens, seconds)
