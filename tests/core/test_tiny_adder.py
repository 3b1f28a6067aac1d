"""The packaged base model: small, ordinary, reproducible, good at short additions and poor at long ones."""

import importlib.util
import json
import string
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.source import parameter_count, resolve_model
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings, parse_question
from adastar_core.records import GenerationRequest, Outcome, Split

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def directory() -> Path:
    return resolve_model("tiny-adder")


@pytest.fixture(scope="module")
def tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(directory)


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "build_tiny_adder", ROOT / "scripts" / "build_tiny_adder.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_small(directory: Path) -> None:
    assert parameter_count(directory) <= 1_000_000
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 4_000_000


def test_it_holds_an_ordinary_model_and_nothing_else(directory: Path) -> None:
    names = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert sorted(path.name for path in directory.iterdir()) == names
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in directory.iterdir())
    assert AutoModelForCausalLM.from_pretrained(directory).config.model_type == "llama"


def test_its_generation_defaults_are_token_ids_alone(directory: Path) -> None:
    defaults = json.loads((directory / "generation_config.json").read_text())
    assert set(defaults) == {"bos_token_id", "eos_token_id", "pad_token_id", "transformers_version"}


def test_a_token_is_a_character(tokenizer: PreTrainedTokenizerBase) -> None:
    text = string.printable.translate({ord(blank): None for blank in "\t\r\x0b\x0c"})
    tokens = tokenizer(text).input_ids
    assert len(tokens) == len(text)
    assert tokenizer.decode(tokens) == text
    assert tokenizer("é").input_ids == [tokenizer.unk_token_id]


def test_it_is_good_at_short_additions_and_poor_at_long_ones(directory: Path) -> None:
    problem = Arithmetic(ArithmeticSettings(validation=250))
    rows = problem.load(Split.VALIDATION)
    requests = [GenerationRequest(place, 1, False, problem.prompt(row), 0) for place, row in enumerate(rows)]
    generator = open_transformers(directory, GeneratorSettings())
    attempts = generator.generate(requests, Decoding(greedy=True, temperature=1, top_p=1, max_new_tokens=80))
    right: dict[str | None, list[bool]] = {}
    for row, attempt in zip(rows, attempts, strict=True):
        verdict = problem.verifier.verify(row, attempt.response, attempt.finish_reason)
        right.setdefault(row.difficulty, []).append(verdict.outcome is Outcome.RIGHT)
    accuracy = {digits: sum(outcomes) / len(outcomes) for digits, outcomes in right.items()}
    assert min(accuracy["1"], accuracy["2"]) > 0.75
    assert accuracy["5"] < accuracy["3"]
    assert accuracy["6"] < 0.3
    assert 0.45 < sum(accuracy.values()) / len(accuracy) < 0.75


def test_it_was_never_trained_on_a_pair_of_validation_or_test(builder: ModuleType) -> None:
    prompts = [prompt for prompt, _ in islice(builder.texts(), 3000)]
    pairs = [parse_question(prompt.strip().partition("=")[0]) for prompt in prompts]
    assert {addition.split for addition in pairs} == {Split.TRAIN}
    hinted = sum("=" in prompt for prompt in prompts) / len(prompts)
    assert 0.05 < hinted < 0.15


def test_the_builder_writes_the_shipped_configuration_and_tokenizer(
    builder: ModuleType, directory: Path, tmp_path: Path
) -> None:
    builder.build(tmp_path, builder.texts(), 0)
    rebuilt, shipped = builder.digests(tmp_path), builder.digests(directory)
    assert {name for name in shipped if shipped[name] != rebuilt[name]} == {"model.safetensors"}


def test_two_builds_are_the_same_bytes(builder: ModuleType, tmp_path: Path) -> None:
    for name in ("one", "other"):
        builder.build(tmp_path / name, builder.texts(), 2)
        torch.rand(7)
    assert builder.digests(tmp_path / "one") == builder.digests(tmp_path / "other")
