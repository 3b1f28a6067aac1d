"""The number formats that ``auto`` means where a run is computed, and how this process rounds (``docs/exactness.md``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.config import RunConfig
from adastar_core.generators.catalogue import has_own_format, recorded_name
from adastar_core.generators.settings import EngineName, GeneratorSettings
from adastar_core.machine.numerics import Numerics, library_versions, processor
from adastar_core.models.formats import auto_format, caution, in_format, why_auto
from adastar_core.runs.stored import root_of
from adastar_core.trainers.settings import TrainerSettings

DECODING = "3"
"""Raise it when this project's own loop over transformers rounds otherwise.

2 reads what prompts share only once; 3 also attends to it for all rows at once, on a CPU.
"""
_Group = TypeVar("_Group", GeneratorSettings, TrainerSettings)


def resolved(config: RunConfig, kept: Mapping[str, str] | None = None) -> RunConfig:
    """Return the configuration with the number formats that ``auto`` means for its model where it is to be computed.

    An engine that ``generator.dtype`` does not reach, such as a server, keeps ``auto``. A run that was started before keeps
    its own formats, ``kept`` (:func:`adastar_core.store.runs.kept_formats`), wherever it is continued.

    Raises:
        ConfigError: ``compute.backend`` is ``ray``, and there is no cluster.
        ModelError: There is no such model.
    """
    kept = kept or {}
    generator = _keeping(config.generator, kept.get("generator.dtype", "auto"))
    trainer = _keeping(config.trainer, kept.get("trainer.dtype", "auto"))
    own = has_own_format(generator)
    if trainer.dtype == "auto" or (generator.dtype == "auto" and not own):
        model, on_gpu = root_of(config), _has_gpu(config.compute, generator)
        trainer = in_format(trainer, model, on_gpu=on_gpu[1])
        generator = generator if own else in_format(generator, model, on_gpu=on_gpu[0])
    return config.model_copy(update={"generator": generator, "trainer": trainer})


def formats_of(config: RunConfig) -> dict[str, str]:
    """Return a configuration's number formats, by key."""
    return {"generator.dtype": config.generator.dtype, "trainer.dtype": config.trainer.dtype}


def _keeping(settings: _Group, kept: str) -> _Group:
    return settings.model_copy(update={"dtype": kept}) if settings.dtype == "auto" else settings


def formats_line(generator: GeneratorSettings, trainer: TrainerSettings, model: Path, *, on_gpu: bool) -> str:
    """Return in which number formats is computed, and why, for people; the settings must be resolved."""
    formats = [trainer.dtype] if has_own_format(generator) else [generator.dtype, trainer.dtype]
    if len(formats) == 1:
        what = f"Trains in {trainer.dtype}"
    elif generator.dtype == trainer.dtype:
        what = f"Generates and trains in {trainer.dtype}"
    else:
        what = f"Generates in {generator.dtype} and trains in {trainer.dtype}"
    automatic = set(formats) == {auto_format(model, on_gpu=on_gpu)}
    why = why_auto(model, on_gpu=on_gpu) if automatic else "as configured, or as the run was started"
    return f"{what}: {why}.{caution(formats, on_gpu=on_gpu)}"


def opening_formats(config: RunConfig, model: Path) -> str:
    """Return :func:`formats_line` for a resolved configuration, where it is computed."""
    return formats_line(
        config.generator, config.trainer, model, on_gpu=any(_has_gpu(config.compute, config.generator))
    )


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

    versions = library_versions()
    if engine == "transformers":
        versions["decoding"] = DECODING
    return Numerics(
        recorded_name(config.generator, engine),
        config.generator.dtype,
        config.trainer.dtype,
        config.generator.batch_size,
        config.compute.piece if config.compute.backend == "ray" else None,
        processor(),
        torch.get_num_threads(),
        versions,
    )
