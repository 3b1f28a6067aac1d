"""Where a run's engine is opened: on this machine, or on the cluster that ``compute`` names."""

from pathlib import Path

from adastar_core.config import RunConfig
from adastar_core.generators.catalogue import Engines, LocalEngines, is_elsewhere
from adastar_core.machine.threads import threads_for


def engines_for(config: RunConfig, parameters: int, log: Path) -> Engines:
    """Return what chooses and opens a run's engine.

    Args:
        config: The run.
        parameters: P, all parameters of the model.
        log: File for what an engine in a process of its own prints.
    """
    if config.compute.backend == "local" or is_elsewhere(config.generator):
        return LocalEngines(config.generator, parameters, log, threads_for(parameters))
    from adastar_core.cluster.generation import ClusterEngines

    return ClusterEngines(config.generator, config.compute, parameters, log.parent)
