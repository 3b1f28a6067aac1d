"""When a run ends: which checkpoint is best, when patience is over, and whether anything is left to do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.records import Split
from adastar_core.runs.numerics import resolved
from adastar_core.runs.stored import StoredRun, open_store, open_stored, pinned
from adastar_core.stages.manifests import EvaluateManifest
from adastar_core.store.evaluations import read_evaluations
from adastar_core.store.iterations import read_iterations
from adastar_core.store.results import spent_pflops
from adastar_core.store.runs import differences, find_run, kept_formats


def best_of(validation: Sequence[EvaluateManifest]) -> int:
    """Return the iteration with the best validation accuracy, the earliest among equals; 0 is the base model."""
    return max(validation, key=lambda evaluated: evaluated.accuracy).iteration


def out_of_patience(validation: Sequence[EvaluateManifest], patience: int | None) -> bool:
    """Return whether the last ``patience`` iterations brought no better validation accuracy."""
    return patience is not None and validation[-1].iteration - best_of(validation) >= patience


def to_test(config: RunConfig, validation: Sequence[EvaluateManifest]) -> Sequence[int]:
    """Return the iterations whose checkpoints are measured on test in the end."""
    everything = config.evaluation.test_every_iteration
    return range(len(validation)) if everything else sorted({0, best_of(validation)})


@contextmanager
def finished_run(config: RunConfig, name: str) -> Iterator[tuple[StoredRun, int] | None]:
    """Yield the finished run of this name and its best iteration; ``None`` where something is left to do or to refuse."""
    check_access(config)
    engine, home = open_store(config)
    try:
        run = find_run(engine, name)
        found = None
        if run is not None and run.status == "finished":
            meant = pinned(config, name)
            with engine.connect() as connection:
                meant = resolved(meant, kept_formats(connection, run))
                same = not differences(connection, run, meant)
            stored = replace(open_stored(engine, home, name), config=meant)
            best = _best_if_done(stored, meant) if same else None
            found = None if best is None else (stored, best)
        yield found
    finally:
        engine.dispose()


def _best_if_done(stored: StoredRun, config: RunConfig) -> int | None:
    """Return the best iteration of a run in which the flow would find every stage done; ``None`` if not all are."""
    rows = stored.read(read_evaluations)
    measured = {
        (row.iteration, row.split): EvaluateManifest(
            iteration=row.iteration, split=row.split, accuracy=row.accuracy
        )
        for row in rows
    }
    closed = {row.iteration for row in stored.read(read_iterations) if row.phase == "advanced"}
    validation = [measured[0, Split.VALIDATION]] if (0, Split.VALIDATION) in measured else []
    for iteration in range(1, config.iterations + 1):
        if iteration not in closed or (iteration, Split.VALIDATION) not in measured:
            return None
        validation.append(measured[iteration, Split.VALIDATION])
        if is_over(stored, config, validation):
            break
    tested = all((iteration, Split.TEST) in measured for iteration in to_test(config, validation))
    return best_of(validation) if tested and len(validation) > max(closed, default=0) else None


def is_over(stored: StoredRun, config: RunConfig, validation: Sequence[EvaluateManifest]) -> bool:
    """Return whether budget or patience ends the run after the newest evaluation."""
    budget = config.budget_pflops
    spent = budget is not None and stored.read(spent_pflops, validation[-1].iteration) >= budget
    return spent or out_of_patience(validation, config.patience)
