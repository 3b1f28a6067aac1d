"""What of an iteration's accepted rationales is trained on: D+ after thinning, balancing and down-sampling."""

from dataclasses import dataclass

from adastar_core import selection
from adastar_core.runs.workspace import Workspace
from adastar_core.selection import Selection
from adastar_core.selection.certain import Pairs
from adastar_core.store.certain import Certain, read_solved
from adastar_core.streams import rng


@dataclass(frozen=True, slots=True)
class Trained:
    """The selection with only those rationales that are trained on, and what was near-certain of all.

    Nothing is known to be certain where the rationales are the data's own.
    """

    selection: Selection
    certain: Certain | None = None


def trained_part(workspace: Workspace, iteration: int, selected: Selection) -> Trained:
    """Choose what an iteration trains on; the same whenever it is asked for, until the next iteration is closed."""
    if workspace.config.rationales != "model":
        return Trained(_narrowed(workspace, iteration, selected))
    certain = selection.near_certain(selected, workspace.read(read_solved, iteration))
    choice = rng(workspace.config.seed, "thin", iteration)
    kept = selection.thin_certain(selected, certain, workspace.config.trainer.thin, choice)
    left_out = tuple(sorted(set(selected.accepted) - set(kept.accepted)))
    narrowed = _narrowed(workspace, iteration, kept)
    share = _share_of_tokens(workspace, iteration, narrowed, certain)
    return Trained(narrowed, Certain(len(certain), left_out, share))


def _narrowed(workspace: Workspace, iteration: int, selected: Selection) -> Selection:
    """Balance classes and down-sample, where the schedule says so."""
    config, train = workspace.config, workspace.train
    if config.schedule.balance_classes:
        choice = rng(config.seed, "balance classes", iteration)
        selected = selection.balance(selected, lambda position: train[position].answer_class, choice)
    if config.schedule.train_on == "accepted":
        return selected
    return selection.thin(selected, config.beta(iteration), rng(config.seed, "down-sample", iteration))


def _share_of_tokens(workspace: Workspace, iteration: int, trained: Selection, certain: Pairs) -> float:
    """Return the share of the trained rationales' tokens, with their prompts, that are of near-certain observations."""
    results, known = workspace.results.of(iteration), set(certain)
    tokens = {
        (position, judged.attempt): judged.tokens
        for position in {position for position, _ in trained.accepted}
        for judged in results[position]
    }
    spent = sum(tokens[pair] for pair in trained.accepted)
    return sum(tokens[pair] for pair in trained.accepted if pair in known) / spent if spent else 0.0
