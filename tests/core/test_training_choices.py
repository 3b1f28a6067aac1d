"""The trainer's named choices on the real tiny model: what each changes, and what it must not change."""

import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from adastar_core.config import LoraSettings, TrainerSettings
from adastar_core.errors import ConfigError, ModelError, OutOfMemory
from adastar_core.models.source import check_model
from adastar_core.trainers import TrainingExample, TrainingOutcome, apart
from adastar_core.trainers.apart import Arrange, require_apart
from adastar_core.trainers.batches import IGNORED, collate, collate_packed
from adastar_core.trainers.job import Job, load
from adastar_core.trainers.loop import Training
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.rows import TrainingRow, pack, plan_training
from adastar_core.trainers.sft import finetune
from tests.support.families import build, sharpened
from tests.support.tiny_llama import write_tiny_llama

EXAMPLES = tuple(
    TrainingExample(
        "7+5=" * (1 + place % 3),
        f"#### {place}" + "9" * (40 if place % 4 == 0 else place % 5),
        f"one {place}",
    )
    for place in range(16)
)
SETTINGS = TrainerSettings(learning_rate=1e-3, batch_size=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_tiny_llama(tmp_path_factory.mktemp("base"))


def _finetune(
    start: Path,
    directory: Path,
    iteration: int = 1,
    schedule: Schedule | None = None,
    learning_rate: float = 1e-3,
    **choices: object,
) -> TrainingOutcome:
    settings = SETTINGS.model_copy(update={"learning_rate": learning_rate, **choices})
    return finetune(
        start, EXAMPLES, settings, planned_steps=2, seed=0, iteration=iteration,
        output=directory / "checkpoint", work=directory / "work", schedule=schedule,
    )  # fmt: skip


def _weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


@pytest.fixture(scope="module")
def plain(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    return _finetune(base, tmp_path_factory.mktemp("plain"))


# Gradient checkpointing


def test_gradient_checkpointing_changes_no_byte_and_computes_layers_twice(
    base: Path, tmp_path: Path, plain: TrainingOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    calls, forward = [0], LlamaMLP.forward

    def counted(module: LlamaMLP, *args: torch.Tensor) -> torch.Tensor:
        calls[0] += module.training  # the canary is computed once the training is over
        return forward(module, *args)

    monkeypatch.setattr(LlamaMLP, "forward", counted)
    found = _finetune(base, tmp_path, gradient_checkpointing=True)
    assert found.checkpoint.sha256 == plain.checkpoint.sha256
    assert calls == [2 * 2 * 2]  # steps, layers, passes


# Packing and grouping by length


def test_packing_is_first_fit_within_the_longest_row() -> None:
    rows = [TrainingRow((1,) * length, 1) for length in (3, 9, 5, 4, 2, 6)]
    packs = [[len(row.tokens) for row in one] for one in pack(rows)]
    assert packs == [[9], [6, 3], [5, 4], [2]]
    batch = collate_packed(
        [TrainingRow((1, 2, 3, 4, 5), 2), TrainingRow((6, 7), 0), TrainingRow((8, 9), 1)], padding=0
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 1, 0, 1, 0]]
    none = IGNORED
    assert batch["labels"].tolist() == [[none, none, 3, 4, 5], [none, 7, none, 9, none]]


def test_packing_trains_the_same_on_fewer_tokens(base: Path, tmp_path: Path, plain: TrainingOutcome) -> None:
    packed = _finetune(base, tmp_path, batching="packed")
    assert packed.loss == pytest.approx(plain.loss, rel=1e-5)
    assert packed.token_accuracy == plain.token_accuracy
    assert packed.train_tokens == plain.train_tokens
    assert packed.train_tokens <= packed.padded_train_tokens < 0.8 * plain.padded_train_tokens
    start, other = _weights(base), _weights(packed.checkpoint.path)
    for name, weight in _weights(plain.checkpoint.path).items():
        moved = (weight - start[name]).abs().max()
        assert (weight - other[name]).abs().max() < 0.05 * moved, name


@pytest.mark.parametrize("arrange", [collate, collate_packed])
def test_a_model_that_lets_texts_of_a_micro_batch_see_each_other_is_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch, arrange: Arrange
) -> None:
    monkeypatch.setattr(apart, "_known", set())
    model, forward = load(base), LlamaForCausalLM.forward

    def leaking(self: LlamaForCausalLM, input_ids: torch.Tensor, **inputs: torch.Tensor) -> object:
        inputs.pop("position_ids", None)
        output = forward(self, input_ids, **inputs)
        output.logits = output.logits * self.model.embed_tokens(input_ids).mean((1, 2))[:, None, None]
        return output

    with monkeypatch.context() as broken:
        broken.setattr(LlamaForCausalLM, "forward", leaking)
        with pytest.raises(
            ModelError, match=r"LlamaForCausalLM does not keep pa.*apart.*set trainer\.\w*batch"
        ):
            require_apart(model, arrange)
    require_apart(model, arrange)


@pytest.mark.parametrize("family", ["lfm2", "jamba", "qwen3_next", "mamba", "bloom", "gpt_oss"])
def test_packing_is_refused_where_texts_leak_also_with_first_weights(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_known", set())
    for model in (sharpened(build(family)), build(family)):
        before = {name: weight.clone() for name, weight in model.named_parameters()}
        with pytest.raises(ModelError, match="does not keep packed texts apart"):
            require_apart(model, collate_packed)
        require_apart(model, collate)
        assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


@pytest.mark.parametrize(
    "family", ["llama", "gpt2", "mixtral", "gemma3_text", "deepseek_v3", "modernbert-decoder"]
)
def test_packing_is_allowed_where_texts_do_not_leak(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_known", set())
    require_apart(build(family), collate_packed)
    require_apart(build(family), collate)


def test_grouping_by_length_pads_less_and_trains_every_row_once(base: Path) -> None:
    rows = [TrainingRow((1,) * (2 + 7 * place % 31), 1) for place in range(100)]
    plain, grouped = (
        plan_training(rows, SETTINGS.model_copy(update={"batching": choice}), 1, seed=0, iteration=1)
        for choice in ("padded", "length_grouped")
    )
    assert sorted(len(row.tokens) for row in grouped.rows) == sorted(len(row.tokens) for row in rows)
    assert sum(grouped.train_tokens()) == sum(plain.train_tokens())
    assert grouped.padded_train_tokens() < 0.7 * plain.padded_train_tokens()
    lengths = [max(len(row.tokens) for row in batch) for batch in map(grouped.batch, range(grouped.steps))]
    assert lengths != sorted(lengths)
    assert len(grouped.batch(grouped.steps - 1)) == 100 % 8


# Optimizer state and schedule


@pytest.fixture(scope="module")
def kept(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    return _finetune(base, tmp_path_factory.mktemp("kept"), optimizer_state="keep")


def test_kept_moments_lie_in_the_checkpoint_and_only_they_tell_it_from_another(
    plain: TrainingOutcome, kept: TrainingOutcome
) -> None:
    path = check_model(kept.checkpoint.path)
    ours = path / "model.safetensors"
    assert ours.read_bytes() == (plain.checkpoint.path / "model.safetensors").read_bytes()
    moments = load_file(path / "optimizer" / "optimizer.safetensors")
    assert {name.split("/")[0] for name in moments} == {"step", "exp_avg", "exp_avg_sq"}
    assert {float(one) for name, one in moments.items() if name.startswith("step/")} == {2.0}


def test_kept_moments_make_two_iterations_one_training(
    base: Path, tmp_path: Path, kept: TrainingOutcome
) -> None:
    """Two iterations of a step each against AdamW itself on the same gradients: the second step tells."""
    again = {"iteration": 2, "optimizer_state": "keep"}
    second = _finetune(kept.checkpoint.path, tmp_path / "kept", **again)  # type: ignore[arg-type]
    fresh = _finetune(kept.checkpoint.path, tmp_path / "reset", iteration=2)
    moments = load_file(second.checkpoint.path / "optimizer" / "optimizer.safetensors")
    assert {float(one) for name, one in moments.items() if name.startswith("step/")} == {4.0}
    assert _weights(second.checkpoint.path).keys() == _weights(fresh.checkpoint.path).keys()
    assert second.checkpoint.sha256 != fresh.checkpoint.sha256
    assert second.loss != fresh.loss  # the first steps are the same model's, the second ones are not
    without = tmp_path / "without"
    _copy_without_moments(kept.checkpoint.path, without)
    bare = _finetune(without, tmp_path / "bare", **again)  # type: ignore[arg-type]
    assert bare.loss == fresh.loss


def _copy_without_moments(checkpoint: Path, directory: Path) -> None:
    directory.mkdir()
    for path in checkpoint.iterdir():
        if path.is_file() and path.name != "manifest.json":
            (directory / path.name).write_bytes(path.read_bytes())


def test_an_interrupted_training_with_kept_moments_ends_as_an_undisturbed_one(
    tmp_path: Path, kept: TrainingOutcome
) -> None:
    settings = SETTINGS.model_copy(update={"optimizer_state": "keep", "save_every": 1})
    start = kept.checkpoint.path
    calm = _finetune(start, tmp_path / "calm", iteration=2, optimizer_state="keep")
    places = {"output": tmp_path / "checkpoint", "work": tmp_path / "work"}

    def stop(line: object) -> None:
        if line.step == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    common = {"planned_steps": 2, "seed": 0, "iteration": 2, **places}
    with pytest.raises(KeyboardInterrupt):
        finetune(start, EXAMPLES, settings, progress=stop, **common)  # type: ignore[arg-type]
    found = finetune(start, EXAMPLES, settings, **common)  # type: ignore[arg-type]
    assert found.checkpoint.sha256 == calm.checkpoint.sha256


def test_a_schedule_across_the_run_continues_where_the_last_iteration_ended(
    base: Path, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"warmup_steps": 4, "decay": "linear", "batch_size": 4})
    job = Job(base, EXAMPLES, settings, 4, Schedule(3, 8), 0, 2, tmp_path / "out", tmp_path / "work")
    training = Training(load(base), job.plan(), settings, Schedule(3, 8), _randomness())
    rates = []
    for step in range(4):
        training._step(step)
        rates.append(training.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3, 1e-3, 0.75e-3, 0.5e-3])


def _randomness() -> object:
    from adastar_core.trainers.loop import Randomness

    return Randomness(0, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["trainer.optimizer_state=keep", "trainer.start_from=reset"],
            r"optimizer_state \(keep\).*start_from",
        ),
        (
            ["trainer.optimizer_state=keep", "trainer.lora.rank=4"],
            r"optimizer_state \(keep\).*lora\.rank \(4\)",
        ),
    ],
)
def test_moments_of_other_weights_are_refused(values: list[str], message: str) -> None:
    from adastar_core.config.files import resolve

    with pytest.raises(ConfigError, match=message):
        resolve({}, values)


def test_a_job_reads_back_as_it_was_written(base: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"lora": LoraSettings(rank=2, target_modules=("q_proj",))})
    job = Job(base, EXAMPLES, settings, 4, Schedule(3, 8), 0, 2, tmp_path / "out", tmp_path / "work")
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(job.to_json()).inputs() == job.inputs()


def test_a_step_that_does_not_fit_into_memory_says_what_to_do(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is injected where a card's allocator would raise it: in the second forward pass."""
    forward, calls = LlamaForCausalLM.forward, itertools.count(1)

    def full(model: LlamaForCausalLM, *args: object, **kwargs: object) -> object:
        if next(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")
        return forward(model, *args, **kwargs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", full)
    with pytest.raises(OutOfMemory, match=r"step 2 of 2 .*9 GiB.*trainer\.micro_batch_size \(now 8\)"):
        _finetune(base, tmp_path)
