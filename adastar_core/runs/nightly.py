"""The nightly rule: what a scheduled rerun of a named run does."""

from datetime import date

from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.names import dated
from adastar_core.problems.catalogue import open_problem
from adastar_core.runs.numerics import resolved
from adastar_core.runs.opening import load_data
from adastar_core.runs.stored import open_store, pinned
from adastar_core.store.items import moved_into_training
from adastar_core.store.observations import new_observations, read_observations
from adastar_core.store.runs import Run, differences, find_run, kept_formats
from adastar_core.store.statistics import read_statistics


def nightly(config: RunConfig, name: str, today: date) -> tuple[RunConfig, str]:
    """Return the configuration and the name that a rerun of ``name`` works under.

    The named run continues when there is something left to do in it: it has not finished, its iterations were
    raised, or its data grew (then for one more iteration, which visits the new observations first). A run that is
    finished, or was made with other values, gets a run beside it: ``NAME-YYYY-MM-DD``. Asked twice on one day, as a
    retry does, the answer is the same.
    """
    engine, _ = open_store(config)
    try:
        run = find_run(engine, name)
        if run is None:
            return config, name
        meant = pinned(config, name)
        with engine.connect() as connection:
            if differences(connection, run, resolved(meant, kept_formats(connection, run))):
                return config, dated(name, today)
        if run.status != "finished" or config.iterations > run.iterations:
            iterations = max(config.iterations, run.iterations)
        elif _has_grown(engine, run, config):
            iterations = run.iterations + 1
        else:
            return config, dated(name, today)
        return config.model_copy(update={"iterations": iterations}), name
    finally:
        engine.dispose()


def _has_grown(engine: Engine, run: Run, config: RunConfig) -> bool:
    """Return whether there are training observations that have not entered the run."""
    data = load_data(open_problem(config.problem))
    with engine.connect() as connection:
        entered = len(read_statistics(connection, run.run_id).last_iteration)
        known = [observation.observation_id for observation in read_observations(connection, run.dataset_id)]
        new = new_observations(data, known, moved_into_training(connection, run.dataset_id, data))
    return bool(new) or 0 < entered < len(known)
