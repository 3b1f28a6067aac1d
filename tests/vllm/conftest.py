"""Everything here needs vLLM (`make test-vllm`) and is skipped without it."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from adastar_core.config import GeneratorSettings
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.records import Incident

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where vLLM is not installed."""
    if find_spec("vllm") is None:
        for item in items:
            if FOLDER in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="vLLM is not installed: make test-vllm"))


class Recorded(list[Incident]):
    """The incidents that an engine reported."""

    @property
    def kinds(self) -> list[str]:
        """Return what kinds they are of."""
        return [one.kind for one in self]


def started(
    model_dir: Path, folder: Path, incidents: list[Incident] | None = None, **settings: object
) -> VllmGenerator:
    """Return a generator that holds the model."""
    values = GeneratorSettings.model_validate(
        {"type": "vllm", "dtype": "float32", "vllm": {"kv_cache_gib": 0.125}, **settings}
    )
    report = (lambda _: None) if incidents is None else incidents.append
    generator = VllmGenerator(values, folder / "engine.log", 1, report)
    try:
        generator.hand_over(model_dir, digest_of(model_dir))
    except BaseException:
        generator.close()
        raise
    return generator
