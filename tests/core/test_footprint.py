"""The memory that a plan foretells is what training and generation then hold."""

from itertools import accumulate
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from adastar_core.config import GeneratorSettings, LoraSettings, TrainerSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.formats import in_format
from adastar_core.models.source import parameter_count
from adastar_core.planning.footprint import (
    cache_bytes_per_token,
    generation_memory,
    training_memory,
)
from adastar_core.records import GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.job import Job, open_training
from adastar_core.trainers.lora import trained_parameters
from tests.support.families import write_family
from tests.support.tiny_llama import write_tiny_llama

LENGTH = 60
EXAMPLES = tuple(TrainingExample("1+", "2" * (LENGTH - 3), str(place)) for place in range(32))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_tiny_llama(tmp_path_factory.mktemp("base"), hidden=64)


def peak_bytes(profiler: profile) -> int:
    """Return the most bytes that torch's allocator had given away at once, from what it told the profiler."""
    events = profiler.profiler.kineto_results.events()
    changes = [(one.start_ns(), one.nbytes()) for one in events if one.name() == "[memory]"]
    assert changes
    return max(accumulate(change for _, change in sorted(changes, key=lambda one: one[0])))


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"micro_batch_size": 4},
        {"gradient_checkpointing": True},
        {"dtype": "bfloat16"},
        {"lora": LoraSettings(rank=4)},
        {"lora": LoraSettings(rank=4), "gradient_checkpointing": True, "dtype": "bfloat16"},
    ],
)
def test_training_holds_what_was_forecast(base: Path, tmp_path: Path, choices: dict[str, object]) -> None:
    settings = TrainerSettings(batch_size=16).model_copy(update=choices)
    hold_training_to_its_forecast(base, settings, tmp_path)


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe"])
def test_a_mixture_of_experts_holds_what_was_forecast(family: str, tmp_path: Path) -> None:
    base = write_family(family, tmp_path / "base")
    hold_training_to_its_forecast(base, TrainerSettings(batch_size=16), tmp_path)
    if family == "qwen3_moe":  # the width of Mixtral's experts is another one than the shared test values say
        hold_generation_to_its_forecast(base, 60, 20)


def hold_training_to_its_forecast(base: Path, settings: TrainerSettings, work: Path) -> None:
    settings = in_format(settings, base, on_gpu=False)
    forecast = training_memory(base, settings, LENGTH)
    job = Job(base, EXAMPLES, settings, 2, None, 0, 1, work / "out", work)
    training = open_training(job, job.plan())
    training.model.train()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        training._step(0)
        training._step(1)
    assert forecast.moments + forecast.passing == pytest.approx(peak_bytes(profiler), rel=0.25)
    weights = sum(one.numel() * one.itemsize for one in training.model.parameters())
    assert forecast.weights == weights


def test_a_shard_is_a_share_of_all_but_the_activations(base: Path) -> None:
    alone = training_memory(base, TrainerSettings(batch_size=8, dtype="float32"), LENGTH)
    shared = training_memory(base, TrainerSettings(batch_size=32, processes=4, dtype="float32"), LENGTH)
    assert (shared.weights, shared.moments) == (alone.weights // 4, alone.moments // 4)
    assert shared.passing > alone.passing / 2


class Endless(TransformersGenerator):
    """Never takes a token for the end."""

    def _is_text(self, size: int) -> torch.Tensor:
        return torch.ones(size, dtype=torch.bool)


@pytest.mark.parametrize(("prompt", "longest"), [(4, 150), (120, 10)])
def test_generation_holds_what_was_forecast(base: Path, prompt: int, longest: int) -> None:
    hold_generation_to_its_forecast(base, prompt, longest)


def hold_generation_to_its_forecast(base: Path, prompt: int, longest: int) -> None:
    settings = GeneratorSettings(batch_size=32, max_new_tokens=longest, dtype="float32")
    forecast = generation_memory(base, settings, prompt)
    opened = open_transformers(base, settings)
    generator = Endless(opened._loaded, opened._vocabulary)
    # Prompts that share nothing, which the forecast is of: what they share is read once.
    wanted = [
        GenerationRequest(place, 1, False, str(place % 10) * prompt, stream=place) for place in range(32)
    ]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        generator.generate(wanted, Decoding(False, 1.0, 1.0, longest))
    assert forecast.cache + forecast.working == pytest.approx(peak_bytes(profiler), rel=0.25)


def test_an_adapter_is_all_that_is_trained(base: Path) -> None:
    assert trained_parameters(base, TrainerSettings()) == parameter_count(base)
    lora = TrainerSettings(lora=LoraSettings(rank=4, target_modules=("q_proj",)))
    assert trained_parameters(base, lora) == 2 * 4 * (64 + 64)


def test_a_token_s_keys_and_values_are_counted_in_every_layer(base: Path) -> None:
    for dtype, number in (("float32", 4), ("bfloat16", 2)):
        assert cache_bytes_per_token(base, GeneratorSettings(dtype=dtype)) == 2 * 2 * 64 * number
