"""What ``dtype: auto`` means: decided by the format that a model was published in, and by the processor's units."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from adastar_core.config import GeneratorSettings, TrainerSettings
from adastar_core.models import formats
from adastar_core.models.formats import auto_format, caution, has_bfloat16_units, in_format, why_auto
from adastar_core.models.source import resolve_model, stored_format


def model_of(folder: Path, config: dict[str, object], dtype: torch.dtype = torch.float32) -> Path:
    """Write what a model's format is read from: its configuration, and weights with norms in float32."""
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    weights = {f"layer.{number}": torch.zeros(2, 2, dtype=dtype) for number in range(2)}
    save_file({**weights, "norm": torch.zeros(2)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("config", "weights", "stored"),
    [
        ({"dtype": "bfloat16"}, torch.float32, "bfloat16"),
        ({"torch_dtype": "float16"}, torch.float32, "float16"),
        ({"torch_dtype": None, "text_config": {"dtype": "bfloat16"}}, torch.float32, "bfloat16"),
        ({}, torch.bfloat16, "bfloat16"),
        ({}, torch.float32, "float32"),
    ],
)
def test_a_model_s_configuration_says_its_format_and_else_its_weights_do(
    tmp_path: Path, config: dict[str, object], weights: torch.dtype, stored: str
) -> None:
    assert stored_format(model_of(tmp_path, config, weights)) == stored


@pytest.mark.parametrize(
    ("stored", "units", "on_gpu", "meant", "why"),
    [
        ("bfloat16", True, False, "bfloat16", "stored in bfloat16, and this processor has units"),
        ("float16", True, False, "bfloat16", "stored in float16, and this processor has units"),
        ("bfloat16", False, False, "float32", "stored in bfloat16, and this processor lacks units"),
        ("float32", True, False, "float32", "the model is stored in float32"),
        ("float64", True, False, "float32", "the model is stored in float64"),
        ("float32", False, True, "bfloat16", "on a GPU"),
    ],
)
def test_model_and_hardware_decide(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stored: str,
    units: bool,
    on_gpu: bool,
    meant: str,
    why: str,
) -> None:
    monkeypatch.setattr(formats, "has_bfloat16_units", lambda: units)
    model = model_of(tmp_path, {"dtype": stored})
    assert auto_format(model, on_gpu=on_gpu) == meant
    assert why in why_auto(model, on_gpu=on_gpu)
    assert in_format(TrainerSettings(), model, on_gpu=on_gpu).dtype == meant
    assert in_format(GeneratorSettings(dtype="float64"), model, on_gpu=on_gpu).dtype == "float64"


def test_the_packaged_model_keeps_its_digits_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "has_bfloat16_units", lambda: True)
    assert auto_format(resolve_model("tiny-adder"), on_gpu=False) == "float32"


@pytest.mark.parametrize(
    ("capabilities", "has"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"bf16": True, "sve": False}, True),
        ({"avx2": True, "avx512_bf16": False, "cpu_name": "bf16"}, False),
    ],
)
def test_units_are_what_torch_tells(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, object], has: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_bfloat16_units() is has


def test_a_torch_that_cannot_tell_counts_as_no_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_bfloat16_units()


def test_bfloat16_without_units_is_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert "float32 would be several times as fast" in caution(["float32", "bfloat16"], on_gpu=False)
    assert not caution(["float32"], on_gpu=False)
    assert not caution(["bfloat16"], on_gpu=True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert not caution(["bfloat16"], on_gpu=False)
