"""How near an iteration's sampling is to its goal, counted from the verdicts so far."""

from collections.abc import Iterable

from adastar_core.progress import Counts
from adastar_core.runs.workspace import Workspace
from adastar_core.store.rollouts import count_attempts


def enter_sampling(workspace: Workspace, iteration: int, planned: int = 0) -> None:
    """Show the iteration's sampling where it stands, with so many attempts planned that have no verdict.

    All waves of an iteration are one stage, and one that was interrupted goes on from what is stored.
    """
    results = workspace.results.of(iteration)
    judged = sum(map(len, results.values()))
    accepted = accepted_of(workspace, iteration, results)
    stored = workspace.read(count_attempts, iteration)
    done = reached(workspace, iteration, results)
    counts = Counts(done, stored, max(judged + planned, stored), judged, accepted)
    workspace.progress.enter(workspace.itinerary.sample(iteration), counts)


def accepted_of(workspace: Workspace, iteration: int, positions: Iterable[int]) -> int:
    """Return how many attempts at these observations are accepted so far, if all were visited."""
    results, rules = workspace.results.of(iteration), workspace.rules(iteration)
    found = [(position, results.get(position, [])) for position in positions]
    return sum(
        sum(attempt.accepted for attempt in judged)
        for position, judged in found
        if not rules.is_luck(position, judged)
    )


def reached(workspace: Workspace, iteration: int, positions: Iterable[int]) -> int:
    """Return what the verdicts on these observations bring the goal: accepted rationales, or settled observations."""
    results, rules = workspace.results.of(iteration), workspace.rules(iteration)
    found = [(position, results.get(position, [])) for position in positions]
    if rules.stop.by_acceptance:
        return sum(len(rules.accepted(position, judged)) for position, judged in found)
    return sum(not rules.missing(position, judged) for position, judged in found)
