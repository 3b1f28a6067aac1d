"""What every stage of an iteration cost, as rows of the store's ``compute`` table."""

from dataclasses import replace

from sqlalchemy import Connection

from adastar_core.compute import StageTokens
from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Selection
from adastar_core.store.costs import remove_costs, write_costs
from adastar_core.store.rollouts import SAMPLED, read_generation_costs


def record_cost(
    connection: Connection,
    workspace: Workspace,
    iteration: int,
    stage: str,
    tokens: StageTokens,
    seconds: float,
    adapter_parameters: int = 0,
) -> None:
    """Write the cost of a stage; the first write is kept. Without an adapter it trained all parameters."""
    shape = replace(workspace.shape, adapter_parameters=adapter_parameters)
    write_costs(connection, workspace.run_id, iteration, stage, tokens, shape, seconds)


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
