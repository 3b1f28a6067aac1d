"""The number formats that ``auto`` means where a run is computed, and how this process rounds (``docs/exactness.md``)."""

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.config import RunConfig
from adastar_core.generators.catalogue import has_own_format, recorded_name
from adastar_core.generators.settings import EngineName, GeneratorSettings
from adastar_core.machine.numerics import Numerics, library_versions, processor


def resolved(config: RunConfig) -> RunConfig:
    """Return the configuration with the number formats that ``auto`` means where it is to be computed.

    An engine that ``generator.dtype`` does not reach, such as a server, keeps ``auto``.

    Raises:
        ConfigError: ``compute.backend`` is ``ray``, and there is no cluster.
    """
    generation, training = config.generator.dtype, config.trainer.dtype
    if "auto" not in (generation, training):
        return config
    on_gpu = _has_gpu(config.compute, config.generator)
    if generation == "auto" and not has_own_format(config.generator):
        generation = "bfloat16" if on_gpu[0] else "float32"
    if training == "auto":
        training = "bfloat16" if on_gpu[1] else "float32"
    generator = config.generator.model_copy(update={"dtype": generation})
    trainer = config.trainer.model_copy(update={"dtype": training})
    return config.model_copy(update={"generator": generator, "trainer": trainer})


def _has_gpu(compute: ComputeSettings, generator: GeneratorSettings) -> tuple[bool, bool]:
    """Return whether generation and training are computed on GPUs."""
    if compute.backend == "ray":
        from adastar_core.cluster.connection import connect, gpus_of_an_actor, has_gpus

        connect(compute)
        return gpus_of_an_actor(compute, generator) > 0, has_gpus()
    import torch

    return torch.cuda.is_available(), torch.cuda.is_available()


def numerics_of(config: RunConfig, engine: EngineName) -> Numerics:
    """Return how this process rounds; the configuration must be resolved."""
    import torch

    return Numerics(
        recorded_name(config.generator, engine),
        config.generator.dtype,
        config.trainer.dtype,
        config.generator.batch_size,
        config.compute.piece if config.compute.backend == "ray" else None,
        processor(),
        torch.get_num_threads(),
        library_versions(),
    )
