"""LoRA on the real tiny model: what is trained, what is written, and what it costs."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, AutoTokenizer

from adastar_core import compute
from adastar_core.config import LoraSettings, TrainerSettings
from adastar_core.errors import ModelError, StageError
from adastar_core.models import checkpoints
from adastar_core.models.source import check_model, model_shape
from adastar_core.trainers import TrainingOutcome, TrainingProgress, lora
from adastar_core.trainers.job import load
from adastar_core.trainers.lora import adapt, adapter_parameters, trained_parameters
from adastar_core.trainers.sft import finetune
from tests.core.test_sft import EXAMPLES
from tests.support.tiny_llama import write_tiny_llama

LORA = LoraSettings(rank=4, dropout=0.1)
SETTINGS = TrainerSettings(learning_rate=1e-2, batch_size=4, lora=LORA)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_tiny_llama(tmp_path_factory.mktemp("base"))


def _finetune(
    base: Path, directory: Path, settings: TrainerSettings = SETTINGS, stop_at: int | None = None
) -> TrainingOutcome:
    def watch(line: TrainingProgress) -> None:
        if line.step == stop_at:
            raise KeyboardInterrupt

    return finetune(
        base, EXAMPLES, settings, planned_steps=5, seed=0, iteration=1,
        output=directory / "checkpoint", work=directory / "work", progress=watch,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    return _finetune(base, tmp_path_factory.mktemp("trained"))


def test_only_the_target_modules_move_and_by_no_more_than_the_rank(
    base: Path, tmp_path: Path, trained: TrainingOutcome
) -> None:
    chosen = SETTINGS.model_copy(update={"lora": LoraSettings(rank=2, target_modules=("q_proj", "v_proj"))})
    some = _finetune(base, tmp_path, chosen)
    start = load_file(base / "model.safetensors")
    for outcome, rank, targets in ((some, 2, ("q_proj", "v_proj")), (trained, 4, ("_proj",))):
        weights = load_file(outcome.checkpoint.path / "model.safetensors")
        assert weights.keys() == start.keys()
        for name, weight in weights.items():
            moved = weight - start[name]
            if name.endswith(tuple(f"{target}.weight" for target in targets)):
                assert 1 <= torch.linalg.matrix_rank(moved, rtol=1e-3) <= rank, name
            else:
                assert not moved.any(), name


def test_the_checkpoint_is_an_ordinary_model_directory(base: Path, trained: TrainingOutcome) -> None:
    path = check_model(trained.checkpoint.path)
    manifest = json.loads((path / "manifest.json").read_text())
    names = {entry["name"] for entry in manifest["files"]}
    assert names == {path.name for path in base.iterdir()} | {
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }
    assert checkpoints.verify(path, trained.checkpoint.sha256) == trained.checkpoint
    for name in ("config.json", "tokenizer.json"):
        assert (path / name).read_bytes() == (base / name).read_bytes()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_merged_model_says_what_the_adapter_on_its_base_says(
    base: Path, trained: TrainingOutcome
) -> None:
    ids = AutoTokenizer.from_pretrained(base)("12+3=", return_tensors="pt").input_ids
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(trained.checkpoint.path)(input_ids=ids).logits
        plain = AutoModelForCausalLM.from_pretrained(base)
        before = plain(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(plain, trained.checkpoint.path / "adapter")(input_ids=ids).logits
    torch.testing.assert_close(merged, adapted, atol=1e-4, rtol=1e-4)
    assert (merged - before).abs().max() > 0.1


def test_an_interrupted_training_ends_as_an_undisturbed_one(
    base: Path, tmp_path: Path, trained: TrainingOutcome
) -> None:
    """With dropout, whose random state a restart must restore."""
    often = SETTINGS.model_copy(update={"save_every": 2})
    with pytest.raises(KeyboardInterrupt):
        _finetune(base, tmp_path, often, stop_at=4)
    (restart,) = (tmp_path / "work").glob("restart-*-000000002")
    assert not (restart / "model.safetensors").exists(), "frozen weights are not written again"
    assert _finetune(base, tmp_path, often).checkpoint.sha256 == trained.checkpoint.sha256


def test_gradient_checkpointing_changes_no_byte_with_dropout(
    base: Path, tmp_path: Path, trained: TrainingOutcome
) -> None:
    less_memory = SETTINGS.model_copy(update={"gradient_checkpointing": True})
    assert _finetune(base, tmp_path, less_memory).checkpoint.sha256 == trained.checkpoint.sha256


def test_the_adapter_s_files_depend_on_neither_place_nor_process(trained: TrainingOutcome) -> None:
    """peft names the base model's path, and keeps target modules in a set, whose order differs between processes."""
    values = json.loads((trained.checkpoint.path / "adapter" / "adapter_config.json").read_text())
    assert values["base_model_name_or_path"] is None
    assert values["target_modules"] == sorted(values["target_modules"])
    assert len(values["target_modules"]) == 14  # seven linear modules in each of two layers


def test_modules_that_the_model_lacks_are_refused(base: Path, tmp_path: Path) -> None:
    wrong = SETTINGS.model_copy(update={"lora": LoraSettings(rank=2, target_modules=("query",))})
    with pytest.raises(ModelError, match=r"trainer\.lora\.target_modules.*query.*q_proj"):
        _finetune(base, tmp_path, wrong)


def _targeting(*modules: str) -> TrainerSettings:
    return SETTINGS.model_copy(update={"lora": LoraSettings(rank=2, target_modules=modules)})


@pytest.mark.parametrize(("module", "other"), [("lm_head", "embed_tokens"), ("embed_tokens", "lm_head")])
def test_tied_modules_are_refused_by_name_before_anything_is_loaded(
    base: Path, module: str, other: str
) -> None:
    with pytest.raises(
        ModelError, match=rf"target_modules names \S*{module}, whose weights .* of \S*{other}.*tied"
    ):
        trained_parameters(base, _targeting("q_proj", module))


def test_any_two_modules_that_share_a_parameter_count_as_tied(base: Path) -> None:
    model = load(base)
    first, second = model.model.layers
    first.mlp.up_proj.weight = second.mlp.up_proj.weight
    with pytest.raises(ModelError, match=r"layers\.0\.mlp\.up_proj, whose weights .*layers\.1\.mlp\.up_proj"):
        adapt(model, LORA, torch_seed=0)


def test_modules_that_are_not_tied_are_trained_and_published(tmp_path: Path) -> None:
    untied = write_tiny_llama(tmp_path / "base", tied=False)
    outcome = _finetune(untied, tmp_path, _targeting("lm_head", "embed_tokens"))
    moved = load_file(outcome.checkpoint.path / "model.safetensors")
    start = load_file(untied / "model.safetensors")
    changed = {name for name in start if not torch.equal(start[name], moved[name])}
    assert changed == {"lm_head.weight", "model.embed_tokens.weight"}


@pytest.mark.filterwarnings("ignore:Model with `tie_word_embeddings=True`:UserWarning")
@pytest.mark.parametrize("module", ["lm_head", "embed_tokens"])
def test_a_merge_that_is_not_the_trained_model_is_not_published(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """What tied modules come to where they are let through."""
    monkeypatch.setattr(lora, "_require_own_weights", lambda *_: None)
    with pytest.raises(StageError, match=r"merged checkpoint is not the trained model.*target_modules"):
        _finetune(base, tmp_path, _targeting(module))
    assert not checkpoints.is_complete(tmp_path / "checkpoint")


def test_an_update_that_is_lost_on_the_way_to_the_disk_is_noticed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lora, "merge_adapter", lambda model: model.unload())
    with pytest.raises(StageError, match="merged checkpoint is not the trained model"):
        _finetune(base, tmp_path, SETTINGS.model_copy(update={"learning_rate": 1e-4}))


def test_training_flops_are_what_torch_counts(base: Path, trained: TrainingOutcome) -> None:
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager", dtype=torch.float32)
    first = model.model.layers[0].self_attn
    into_first = sum(one.weight.numel() for one in (first.q_proj, first.k_proj, first.v_proj))
    adapted = adapt(model, LORA, torch_seed=0)
    rows, length = 3, 40
    ids = torch.randint(4, 40, (rows, length))
    with FlopCounterMode(display=False) as counter:
        adapted(input_ids=ids, labels=ids).loss.backward()
    shape, adapter = model_shape(base), trained.adapter_parameters
    assert adapter == adapter_parameters(trained.checkpoint.path) == adapted.get_nb_trainable_parameters()[0]
    expected = compute.training_flops(shape.parameters, rows * length, adapter)
    expected += compute.attention_flops(shape, compute.training_pairs([length] * rows))
    not_needed = 2 * into_first * rows * length  # nothing below the first layer is trained
    assert expected - not_needed == pytest.approx(counter.get_total_flops(), rel=0.05)
    assert compute.training_flops(1000, 7) == 6000 * 7
