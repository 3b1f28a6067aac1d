"""Generation and training keep cuDNN's attention away, whose plans for new shapes cost more than they save."""

from pathlib import Path

import pytest
import torch
from torch import nn

from adastar_core.generators import Decoding
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.source import resolve_model
from adastar_core.records import GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.settings import TrainerSettings
from adastar_core.trainers.sft import finetune

MODEL = resolve_model("tiny-adder")


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether cuDNN was allowed in each forward pass of a whole model from now on."""
    seen: list[bool] = []
    forward = nn.Module.__call__

    def watched(module: nn.Module, *args: object, **kwargs: object) -> object:
        if type(module).__name__ == "LlamaForCausalLM":
            seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        return forward(module, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", watched)
    torch.backends.cuda.enable_cudnn_sdp(True)
    return seen


def test_generation_keeps_cudnn_away_and_gives_it_back(allowed: list[bool]) -> None:
    generator = open_transformers(MODEL, GeneratorSettings())
    generator.generate([GenerationRequest(0, 1, False, "1+2=", stream=1)], Decoding(False, 1.0, 1.0, 4))
    assert allowed
    assert not any(allowed)
    assert torch.backends.cuda.cudnn_sdp_enabled()


def test_every_step_of_a_training_keeps_cudnn_away(allowed: list[bool], tmp_path: Path) -> None:
    settings = TrainerSettings(batch_size=1, gradient_checkpointing=True)
    examples = [TrainingExample("1+2=", "3", str(place)) for place in range(3)]
    paths = {"output": tmp_path / "out", "work": tmp_path / "work"}
    finetune(MODEL, examples, settings, planned_steps=3, seed=0, iteration=1, **paths)
    assert allowed[:3] == [False] * 3
    assert torch.backends.cuda.cudnn_sdp_enabled()
