"""Every engine that a configuration can name, and how to open it."""

from pathlib import Path

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Generator


def resolve_engine(settings: GeneratorSettings) -> str:
    """Return the engine that generates: what the settings name, or what suits the machine."""
    return "transformers" if settings.type == "auto" else settings.type


def open_generator(settings: GeneratorSettings, model_dir: Path) -> Generator:
    """Load a checkpoint into the engine that ``settings`` name.

    Raises:
        ModelError: The checkpoint cannot be loaded.
    """
    from adastar_core.generators.transformers import open_transformers

    return open_transformers(model_dir, settings)
