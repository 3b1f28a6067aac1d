"""Stamp the first u visited observations and close the iteration."""

from fractions import Fraction

from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Selection
from adastar_core.stages.manifests import AdvanceManifest
from adastar_core.stages.sample import read_selection
from adastar_core.stages.trained import trained_part
from adastar_core.store import iterations
from adastar_core.store.costs import read_costs


def advance(workspace: Workspace, iteration: int) -> AdvanceManifest:
    """Write the visits, the stamps and the closed iteration in one transaction; done twice, it changes nothing."""
    if found := find_advance(workspace, iteration):
        return found
    selected = read_selection(workspace, iteration)
    alpha = strength(workspace, iteration, selected)
    trained = trained_part(workspace, iteration, selected).selection
    # Should the transaction fail, the sampler is ahead of the store: the next use rebuilds it.
    stamped = workspace.sampler(iteration).observe(iteration, selected.visits, alpha)
    try:
        with workspace.lease.transaction() as connection:
            costs = read_costs(connection, workspace.run_id)
            iterations.advance(
                connection,
                workspace.run_id,
                iteration,
                trained.visits,
                alpha=float(alpha),
                stamped=stamped,
                seconds=sum(cost.seconds for cost in costs if cost.iteration == iteration),
            )
    except BaseException:
        workspace.forget_sampler()
        raise
    workspace.sampler_advanced(iteration)
    advanced = find_advance(workspace, iteration)
    assert advanced is not None, "it was just written"
    return advanced


def find_advance(workspace: Workspace, iteration: int) -> AdvanceManifest | None:
    """Return the manifest of an iteration that is closed; ``None`` while it is open."""
    row = workspace.read(iterations.find_iteration, iteration)
    if row is None or row.phase != "advanced":
        return None
    return AdvanceManifest(
        iteration=iteration, m=row.m or 0, alpha=row.alpha or 0.0, stamped=row.stamped or 0
    )


def strength(workspace: Workspace, iteration: int, selected: Selection) -> Fraction | float:
    """Return alpha, the model's strength in this iteration, by the configured signal."""
    match workspace.config.alpha:
        case "acceptance":
            return selected.acceptance
        case "first_try":
            return selected.first_try
        case "train_accuracy":
            training = workspace.checkpoint(iteration).training
            assert training is not None, "an iteration's checkpoint was trained"
            return training.token_accuracy
