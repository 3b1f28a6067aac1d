import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PreTrainedModel

from adastar_core import compute
from adastar_core.compute import ModelShape, StageTokens
from adastar_core.models.source import model_shape, resolve_model
from tests.support.tiny_llama import write_model


@pytest.fixture(scope="module", params=["tiny-adder", "tiny llama"])
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PreTrainedModel, ModelShape]:
    if request.param == "tiny-adder":
        directory = resolve_model("tiny-adder")
    else:
        directory = tmp_path_factory.mktemp("model")
        write_model(directory, hidden=64)
    model = AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32)
    return model, model_shape(directory)


@pytest.mark.parametrize("length", [16, 100])
def test_training_flops_are_what_torch_counts(
    measured: tuple[PreTrainedModel, ModelShape], length: int
) -> None:
    model, shape = measured
    ids = torch.randint(4, 40, (3, length))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids).loss.backward()
    tokens = compute.training_flops(shape.parameters, 3 * length)
    attention = compute.attention_flops(shape, compute.training_pairs([length] * 3))
    assert tokens + attention == pytest.approx(counter.get_total_flops(), rel=0.05)


@pytest.mark.parametrize(("prompt", "generated"), [(10, 40), (80, 8), (5, 1)])
def test_generation_flops_are_what_torch_counts(
    measured: tuple[PreTrainedModel, ModelShape], prompt: int, generated: int
) -> None:
    model, shape = measured
    ids = torch.randint(4, 40, (1, prompt))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=generated,
            max_new_tokens=generated,
        )
    tokens = compute.generation_flops(shape.parameters, prompt, generated - 1)
    head_read_once = 2 * (prompt - 1) * model.lm_head.weight.numel()
    attention = compute.attention_flops(shape, compute.generation_pairs(prompt, generated))
    assert tokens - head_read_once + attention == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_flops_follow_the_stated_formula() -> None:
    tokens = StageTokens(
        prompt_tokens=10,
        padded_prompt_tokens=12,
        generated_tokens=5,
        padded_generated_tokens=8,
        train_tokens=7,
        padded_train_tokens=9,
    )
    assert tokens.flops(1000) == 6 * 1000 * 7 + 2 * 1000 * 15
    assert tokens.padded_flops(1000) == 6 * 1000 * 9 + 2 * 1000 * 20
    assert (tokens + tokens).flops(1000) == 2 * tokens.flops(1000)
    assert StageTokens().flops(10**12) == 0


@pytest.mark.parametrize(
    ("parameters", "rows", "length", "epochs", "published"),
    [
        (3_212_749_824, 1418, 256, 1.0, 7.0),
        (3_212_749_824, 9741, 128, 2.5, 60.1),
        (3_085_938_688, 7473, 512, 1.0, 70.9),
    ],
)
def test_published_costs_are_reproduced(
    parameters: int, rows: int, length: int, epochs: float, published: float
) -> None:
    """Plain fine-tuning of the paper's Table 1: ARC-C, CQA (Llama 3.2 3B) and GSM8K (Qwen 2.5 3B)."""
    cost = compute.pflops(compute.training_flops(parameters, round(rows * length * epochs)))
    assert cost == pytest.approx(published, rel=0.005)


def test_importing_needs_no_torch() -> None:
    script = (
        "import sys, adastar_core.compute; assert not {'torch', 'numpy', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_large_counts_stay_exact() -> None:
    assert compute.training_flops(405 * 10**9, 10**13) == 6 * 405 * 10**22
