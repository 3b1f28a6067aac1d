"""The canary tells weights apart, also where numbers are rough, and a batch that does not fit is halved once."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from adastar_core.errors import OutOfMemory
from adastar_core.generators import Decoding
from adastar_core.generators.halving import Halving
from adastar_core.machine.memory import memory_errors
from adastar_core.models.canary import Canary, canary_at, canary_of, disagreement, question_for, record
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import resolve_model
from adastar_core.records import Attempt, GenerationRequest, Incident
from tests.support.attempts import GREEDY, requests
from tests.support.scripted import ScriptedGenerator
from tests.support.tiny_llama import write_tiny_llama


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return write_tiny_llama(tmp_path / "model", seed=1)


def of(*logprobs: float, dtype: str = "float32") -> Canary:
    return Canary(question_for(100, None), logprobs, dtype)


def test_it_is_recorded_with_the_weights_and_is_not_part_of_them(model_dir: Path) -> None:
    digest, computed = digest_of(model_dir), canary_at(model_dir)
    record(computed, model_dir)
    assert canary_at(model_dir) == computed
    assert digest_of(model_dir) == digest
    (model_dir / "model.safetensors").unlink()
    assert canary_at(model_dir) == computed


def test_it_changes_with_any_matrix_of_the_model() -> None:
    model = AutoModelForCausalLM.from_pretrained(resolve_model("tiny-adder"))
    model.train()
    before = canary_of(model)
    assert canary_of(model) == before
    assert model.training
    for name, weights in model.named_parameters():
        kept = weights.detach().clone()
        with torch.no_grad():
            weights *= 1 + 0.05 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1))
        assert disagreement(before, canary_of(model).logprobs, "float32") is not None, name
        with torch.no_grad():
            weights.copy_(kept)
    assert canary_of(model) == before


def test_contexts_stay_within_the_model_s_positions() -> None:
    assert question_for(50, 64).contexts == (1, 2, 3, 5, 8, 13, 21)
    assert question_for(50, None).contexts[-1] > 128
    assert question_for(50, 64).tokens == question_for(50, 2048).tokens
    assert max(question_for(50, None).tokens) < 50


@pytest.mark.parametrize(
    ("measured", "dtype", "before", "agrees"),
    [
        ((-1.0, -2.0001), "float32", None, True),
        ((-1.0, -2.01), "float32", None, False),
        ((-1.0, -2.1), "bfloat16", None, True),
        ((-1.0, -2.9), "bfloat16", None, False),
        ((-1.0, -2.1), "bfloat16", of(-1.0, -2.12), False),
        ((-1.0, -2.1), "bfloat16", of(-1.0, -2.3), True),
        ((-1.0,), "float32", None, False),
        ((-1.0, float("nan")), "bfloat16", None, False),
    ],
)
def test_what_rounding_explains_agrees(
    measured: tuple[float, ...], dtype: str, before: Canary | None, agrees: bool
) -> None:
    assert (disagreement(of(-1.0, -2.0), measured, dtype, before) is None) == agrees


class Narrow(ScriptedGenerator):
    """Has room for so many requests at once."""

    def __init__(self, room: int) -> None:
        super().__init__(lambda request: request.prompt)
        self.room = room

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        with memory_errors():
            if len(requests) > self.room:
                raise RuntimeError(
                    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
                )
            return super().generate(requests, decoding)


@pytest.mark.parametrize("room", [4, 5])
def test_a_batch_that_does_not_fit_is_generated_in_halves(room: int) -> None:
    incidents: list[Incident] = []
    halving = Halving(Narrow(room), incidents.append)
    attempts = halving.generate(requests(7), GREEDY)
    assert [attempt.position for attempt in attempts] == list(range(7))
    assert [incident.kind for incident in incidents] == ["out of memory"]
    assert "batch of 7" in incidents[0].detail
    assert halving.generate(requests(room), GREEDY)
    assert len(incidents) == 1


def test_halves_that_do_not_fit_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(OutOfMemory, match=r"9 attempts at once, and 4 did not fit.*generator\.batch_size"):
        Halving(Narrow(2), lambda _: None).generate(requests(9), GREEDY)


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors():
        raise RuntimeError("shapes cannot be multiplied")
    with pytest.raises(OutOfMemory), memory_errors():
        raise torch.OutOfMemoryError("CUDA out of memory")
