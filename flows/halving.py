"""A comparison rung by rung: all runs to a part of the budget, then those of the methods that can still win, and so on.

What a rung decides follows from the stored results alone (:mod:`adastar_core.comparison.dropping`). So the same command
decides again what it decided before, and with more seeds or methods it decides anew, over all of them. A run that goes on is
resumed under its name; what it did is what it would have done without a pause.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from prefect.futures import PrefectFuture, wait
from sqlalchemy.exc import DBAPIError

from adastar_core.comparison import rung_text
from adastar_core.comparison.dropping import Decision, decide
from adastar_core.comparison.member import Member
from adastar_core.comparison.rungs import Rung
from adastar_core.config.methods import MethodName
from adastar_core.machine.files import atomic_write
from adastar_core.runs.stored import open_store
from adastar_core.store.overview import find_overview
from adastar_core.store.results import spent_pflops
from adastar_core.store.runs import finish_run
from flows.members import ComparisonSettings
from flows.scoreboard import Scoreboard

DECISIONS = "rungs.json"
Key = tuple[MethodName, int]
Submit = Callable[[MethodName, int, Rung], PrefectFuture[Member]]


@dataclass(frozen=True, slots=True)
class Climbed:
    """What came of all rungs: the runs, each as far as it got, why others failed, and what was decided."""

    members: tuple[Member, ...]
    failed: tuple[str, ...]
    decisions: tuple[Decision, ...]


def climb(settings: ComparisonSettings, submit: Submit, board: Scoreboard) -> Climbed:
    """Run the comparison to its end. A run that failed is not tried again at later rungs."""
    reached: dict[Key, Member] = {}
    failed: dict[Key, str] = {}
    decisions: list[Decision] = []
    # Seed by seed, so that an early end leaves every method with the same seeds.
    left = [(method, seed) for seed in settings.seeds for method in settings.methods]
    for rung in settings.rungs:
        board.rung = rung
        found = _reached({key: submit(*key, rung) for key in left})
        reached |= {key: run for key, run in found.items() if isinstance(run, Member)}
        failed |= {
            (method, seed): f"{method} with seed {seed}: {why}"
            for (method, seed), why in found.items()
            if not isinstance(why, Member)
        }
        left = [key for key in left if isinstance(found[key], Member)]
        if not rung.is_last:
            decisions.append(_decided(settings, [reached[key] for key in left], rung))
            _keep(settings, decisions)
            board.dropped |= decisions[-1].dropped
            left = [key for key in left if key[0] not in board.dropped]
    members = [run for key, run in reached.items() if key not in failed]
    return Climbed(tuple(members), tuple(failed.values()), tuple(decisions))


def _reached(futures: Mapping[Key, PrefectFuture[Member]]) -> dict[Key, object]:
    """Return the runs when all have ended, or why they failed."""
    wait(list(futures.values()))
    return {key: future.result(raise_on_failure=False) for key, future in futures.items()}


def _decided(settings: ComparisonSettings, runs: Sequence[Member], rung: Rung) -> Decision:
    """Decide, and tell the runs of dropped methods why they stop here."""
    methods = len(set(settings.methods))
    decision = decide(runs, rung, methods=methods, rungs=len(settings.rungs) - 1)
    for method, verdict in decision.dropped.items():
        for seed in verdict.seeds:
            _interrupt(settings, method, seed, rung_text.reason(decision, verdict))
    return decision


def _interrupt(settings: ComparisonSettings, method: MethodName, seed: int, reason: str) -> None:
    """Record that a run was left where it is, and why, unless it has had its whole budget or is at work."""
    if settings.summary_path(method, seed).exists():
        return
    engine, _ = open_store(settings.config(method, seed))
    try:
        with (
            suppress(DBAPIError),
            engine.begin() as connection,
        ):  # the decision is on file, whatever the database does
            run = find_overview(connection, settings.run_name(method, seed))
            if run is not None and run.state in ("finished", "interrupted"):
                finish_run(connection, run.run_id, "interrupted", reason)
    finally:
        engine.dispose()


def _keep(settings: ComparisonSettings, decisions: Sequence[Decision]) -> None:
    with atomic_write(settings.folder / DECISIONS) as part:
        part.write_text(rung_text.record(decisions), encoding="utf-8")


def rung_to_run(settings: ComparisonSettings, method: MethodName, seed: int, rung: Rung) -> Rung:
    """Return the rung to which a run is run so that it reaches ``rung``: a later one if it has gone beyond already.

    A run's budget may only grow, and a run that was begun without rungs may have spent more than one of them.
    """
    later = [one for one in settings.rungs if one.limit >= rung.limit]
    engine, _ = open_store(settings.config(method, seed))
    try:
        with engine.connect() as connection:
            run = find_overview(connection, settings.run_name(method, seed))
            if run is None:
                return rung
            closed = max(run.iteration - 1, 0)  # the newest iteration may be the one that reaches the rung
            spent = spent_pflops(connection, run.run_id, closed) if rung.by == "pflops" else closed
    finally:
        engine.dispose()
    return next((one for one in later if spent < one.limit), later[-1])
