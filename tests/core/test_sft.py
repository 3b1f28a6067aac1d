import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from adastar_core.config import TrainerSettings
from adastar_core.errors import DataError, HomeError, ModelError, NothingAccepted, StageError
from adastar_core.models import checkpoints
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.trainers import TrainingExample, TrainingOutcome, TrainingProgress
from adastar_core.trainers.rows import tokenize
from adastar_core.trainers.sft import finetune
from tests.support.tiny_llama import write_tiny_llama

EXAMPLES = tuple(
    TrainingExample(f"{a}+{b}=", f"{a + b}\n#### {a + b}", f"sum {a} {b}") for a in range(5) for b in range(4)
)
SETTINGS = TrainerSettings(learning_rate=1e-3, batch_size=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_tiny_llama(tmp_path_factory.mktemp("base"))


def _finetune(
    base: Path,
    directory: Path,
    settings: TrainerSettings = SETTINGS,
    *,
    examples: Sequence[TrainingExample] = EXAMPLES,
    planned_steps: int = 5,
    seed: int = 0,
    iteration: int = 1,
) -> TrainingOutcome:
    return finetune(
        base,
        examples,
        settings,
        planned_steps=planned_steps,
        seed=seed,
        iteration=iteration,
        output=directory / "checkpoint",
        work=directory / "work",
    )


def _weights(outcome: TrainingOutcome) -> dict[str, torch.Tensor]:
    return load_file(outcome.checkpoint.path / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    return _finetune(base, tmp_path_factory.mktemp("undisturbed"))


def test_no_examples_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingAccepted, match="0 rationales"):
        _finetune(base, tmp_path, examples=())


def test_a_row_longer_than_the_model_can_take_is_refused(base: Path, tmp_path: Path) -> None:
    example = TrainingExample("1=", "1" * 300, "obs-9")
    with pytest.raises(DataError, match="'obs-9' has 303 tokens, more than 256"):
        _finetune(base, tmp_path, examples=[example])


# The pass


def test_training_learns_and_reports(base: Path, tmp_path: Path) -> None:
    settings = TrainerSettings(learning_rate=1e-2, batch_size=4, on_exhausted="repeat", warmup_steps=4)
    seen: list[TrainingProgress] = []
    outcome = finetune(
        base,
        EXAMPLES,
        settings,
        planned_steps=60,
        seed=0,
        iteration=1,
        output=tmp_path / "checkpoint",
        work=tmp_path / "work",
        progress=seen.append,
    )
    assert [line.step for line in seen] == list(range(1, 61))
    assert {line.steps for line in seen} == {60}
    assert [line.learning_rate for line in seen[:5]] == pytest.approx([2.5e-3, 5e-3, 7.5e-3, 1e-2, 1e-2])
    assert seen[-1].loss < 1 < 3 < seen[0].loss
    assert sum(line.train_tokens for line in seen) == outcome.train_tokens
    assert outcome.padded_train_tokens >= outcome.train_tokens
    assert 0.5 < outcome.token_accuracy < 1
    assert outcome.seconds > 0
    model = AutoModelForCausalLM.from_pretrained(outcome.checkpoint.path)
    tokenizer = AutoTokenizer.from_pretrained(outcome.checkpoint.path)
    prompt = tokenizer("2+3=", return_tensors="pt")
    text = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    assert text[-1] == tokenizer.eos_token_id


def test_the_outcome_of_one_step_is_what_the_untrained_model_says(base: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"batch_size": len(EXAMPLES), "micro_batch_size": 5})
    outcome = _finetune(base, tmp_path, settings)
    model, losses, hits = AutoModelForCausalLM.from_pretrained(base), [], []
    for row in tokenize(EXAMPLES, Vocabulary(base), 64):
        scores = model(input_ids=torch.tensor([row.tokens])).logits[0, row.prompt_tokens - 1 : -1].detach()
        targets = torch.tensor(row.tokens[row.prompt_tokens :])
        losses += torch.nn.functional.cross_entropy(scores, targets, reduction="none").tolist()
        hits += (scores.argmax(-1) == targets).tolist()
    assert outcome.steps == 1
    assert outcome.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert outcome.token_accuracy == sum(hits) / len(hits)


@pytest.mark.parametrize("count", [20, 18])
def test_micro_batches_change_no_result(base: Path, tmp_path: Path, count: int) -> None:
    """Also with a last batch that the micro-batches do not divide."""
    plain = SETTINGS.model_copy(update={"batch_size": 8, "learning_rate": 1e-4})
    whole = _finetune(base, tmp_path / "whole", plain, examples=EXAMPLES[:count])
    split = _finetune(
        base, tmp_path / "split", plain.model_copy(update={"micro_batch_size": 2}), examples=EXAMPLES[:count]
    )
    assert (whole.steps, whole.train_tokens) == (split.steps, split.train_tokens) == (3, whole.train_tokens)
    assert whole.loss == pytest.approx(split.loss, rel=1e-5)
    assert whole.token_accuracy == split.token_accuracy
    start = load_file(base / "model.safetensors")
    for name, weight in _weights(whole).items():
        moved = (weight - start[name]).abs().max()
        assert (weight - _weights(split)[name]).abs().max() < 0.05 * moved, name


def test_weight_decay_is_applied_and_decoupled(base: Path, tmp_path: Path) -> None:
    """One step: matrices lose exactly rate * decay of themselves more; norms lose nothing."""
    settings = SETTINGS.model_copy(update={"batch_size": 20, "weight_decay": 0.0})
    decay = settings.model_copy(update={"weight_decay": 0.5})
    plain, decayed = (
        _weights(_finetune(base, tmp_path / "0", settings)),
        _weights(_finetune(base, tmp_path / "1", decay)),
    )
    start = load_file(base / "model.safetensors")
    for name, weight in plain.items():
        expected = 0.0 if "norm" in name else 1e-3 * 0.5 * start[name]
        torch.testing.assert_close(
            weight - decayed[name], torch.zeros_like(weight) + expected, atol=1e-7, rtol=1e-3
        )


def test_gradients_are_clipped(base: Path, tmp_path: Path) -> None:
    """Adam's step hardly depends on the gradient's scale, so its first moments are looked at."""
    settings = SETTINGS.model_copy(update={"save_every": 2, "max_grad_norm": 1e-3})
    with pytest.raises(KeyboardInterrupt):
        _interrupt_after(3, base, tmp_path, settings)
    (restart,) = (tmp_path / "work").glob("restart-*")
    state = load_file(restart / "optimizer.safetensors")
    moments = [moment for name, moment in state.items() if name.startswith("exp_avg/")]
    total = sum(float(moment.square().sum()) for moment in moments) ** 0.5
    assert 0 < total <= 0.19 * 1e-3 * 1.001  # 0.9 * 0.1 + 0.1 times the bound after two steps


def test_bfloat16_arithmetic_keeps_float32_weights(
    base: Path, tmp_path: Path, undisturbed: TrainingOutcome
) -> None:
    half = _finetune(base, tmp_path / "half", SETTINGS.model_copy(update={"dtype": "bfloat16"}))
    again = _finetune(base, tmp_path / "again")
    assert {weight.dtype for weight in _weights(half).values()} == {torch.float32}
    assert half.loss == pytest.approx(undisturbed.loss, rel=0.01)
    assert half.loss != undisturbed.loss
    assert again.checkpoint.sha256 == undisturbed.checkpoint.sha256


def test_a_training_that_diverges_publishes_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"diverged in step \d of 5.*lower trainer\.learning_rate"):
        _finetune(base, tmp_path, SETTINGS.model_copy(update={"learning_rate": 1e30}))
    assert not (tmp_path / "checkpoint").exists()


def test_a_disk_without_room_for_restart_points_is_refused_first(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40 - 10**5, 10**5))
    with pytest.raises(
        HomeError, match=r"work has 0\.0001 GB free, and training needs 0\.0007 GB.*data directory"
    ):
        _finetune(base, tmp_path, SETTINGS.model_copy(update={"save_every": 2}))
    assert not (tmp_path / "checkpoint").exists()
    assert _finetune(base, tmp_path).steps == 5


def test_broken_weights_are_one_clear_error(tmp_path: Path) -> None:
    broken = write_tiny_llama(tmp_path / "base")
    (broken / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="cannot be loaded for training"):
        _finetune(broken, tmp_path)


def test_weights_that_are_missing_are_named_not_invented(tmp_path: Path) -> None:
    lacking = write_tiny_llama(tmp_path / "base")
    weights = load_file(lacking / "model.safetensors")
    weights.pop("model.norm.weight")
    save_file(weights, lacking / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks the weights model\.norm\.weight"):
        _finetune(lacking, tmp_path)


# What is written


def test_a_checkpoint_holds_weights_configuration_and_tokenizer_only(base: Path, tmp_path: Path) -> None:
    outcome = _finetune(base, tmp_path, SETTINGS.model_copy(update={"save_every": 2}))
    names = {path.name for path in outcome.checkpoint.path.iterdir()}
    assert names == {
        ".canary.json",
        "config.json",
        "generation_config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    left = [path.name for path in tmp_path.rglob("*") if outcome.checkpoint.path not in (path, *path.parents)]
    assert len(left) == 2
    assert left[0] == "work"
    assert left[1].startswith("outcome-")
    assert "temperature" not in json.loads((outcome.checkpoint.path / "generation_config.json").read_text())


def test_a_checkpoint_is_a_start_for_the_next_iteration(base: Path, tmp_path: Path) -> None:
    first = _finetune(base, tmp_path / "1", iteration=1)
    second = _finetune(first.checkpoint.path, tmp_path / "2", iteration=2)
    assert second.loss < first.loss
    assert checkpoints.verify(second.checkpoint.path, second.checkpoint.sha256) == second.checkpoint
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        assert (second.checkpoint.path / name).read_bytes() == (base / name).read_bytes(), name


def test_the_same_inputs_give_the_same_bytes_wherever_they_are_written(
    base: Path, tmp_path: Path, undisturbed: TrainingOutcome
) -> None:
    torch.manual_seed(1234)
    two = _finetune(base, tmp_path / "a" / "longer" / "way")
    other = _finetune(base, tmp_path / "other", iteration=2)
    assert undisturbed.checkpoint.sha256 == two.checkpoint.sha256 != other.checkpoint.sha256
    assert (undisturbed.loss, undisturbed.token_accuracy) == (two.loss, two.token_accuracy)


def test_nothing_is_printed(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _finetune(base, tmp_path)
    assert capfd.readouterr() == ("", "")


# Interruption


class _Interrupt:
    """Raises like Ctrl-C after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, progress: TrainingProgress) -> None:
        if progress.step == self.steps:
            raise KeyboardInterrupt


def _interrupt_after(steps: int, base: Path, directory: Path, settings: TrainerSettings) -> None:
    finetune(
        base,
        EXAMPLES,
        settings,
        planned_steps=5,
        seed=0,
        iteration=1,
        output=directory / "checkpoint",
        work=directory / "work",
        progress=_Interrupt(steps),
    )


@pytest.fixture(scope="module")
def undisturbed_schedule(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    return _finetune(base, tmp_path_factory.mktemp("schedule"), SCHEDULE)


SCHEDULE = SETTINGS.model_copy(update={"micro_batch_size": 2, "decay": "linear", "warmup_steps": 1})


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    base: Path, tmp_path: Path, undisturbed_schedule: TrainingOutcome, stop: int
) -> None:
    often = SCHEDULE.model_copy(update={"save_every": 2})
    with pytest.raises(KeyboardInterrupt):
        _interrupt_after(stop, base, tmp_path, often)
    seen: list[int] = []
    resumed = finetune(
        base,
        EXAMPLES,
        often,
        planned_steps=5,
        seed=0,
        iteration=1,
        output=tmp_path / "checkpoint",
        work=tmp_path / "work",
        progress=lambda line: seen.append(line.step),
    )
    assert seen[0] == (stop - 1) // 2 * 2 + 1
    assert resumed.checkpoint.sha256 == undisturbed_schedule.checkpoint.sha256
    assert (resumed.loss, resumed.token_accuracy) == (
        undisturbed_schedule.loss,
        undisturbed_schedule.token_accuracy,
    )


def test_a_finished_training_is_not_done_again(base: Path, tmp_path: Path) -> None:
    first = _finetune(base, tmp_path)
    written = (tmp_path / "checkpoint" / "model.safetensors").stat().st_mtime_ns
    assert _finetune(base, tmp_path) == first
    assert (tmp_path / "checkpoint" / "model.safetensors").stat().st_mtime_ns == written


def test_a_checkpoint_whose_outcome_was_lost_is_trained_again_and_found_equal(
    base: Path, tmp_path: Path
) -> None:
    first = _finetune(base, tmp_path)
    next((tmp_path / "work").glob("outcome-*")).unlink()
    assert _finetune(base, tmp_path).checkpoint == first.checkpoint


def test_another_training_never_resumes_or_overwrites_this_one(base: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"save_every": 2})
    with pytest.raises(KeyboardInterrupt):
        _interrupt_after(3, base, tmp_path, settings)
    other = _finetune(base, tmp_path, settings, seed=1)
    assert other.checkpoint.sha256 == _finetune(base, tmp_path / "fresh", settings, seed=1).checkpoint.sha256
    third = _finetune(base, tmp_path, settings, seed=2)
    assert third.checkpoint.path.name == f"{other.checkpoint.path.name}-{third.checkpoint.sha256[:12]}"
    assert _finetune(base, tmp_path, settings, seed=2).checkpoint == third.checkpoint
    assert checkpoints.holds(other.checkpoint.path, other.checkpoint.sha256)


def test_a_damaged_restart_point_is_not_used(
    base: Path, tmp_path: Path, undisturbed: TrainingOutcome
) -> None:
    settings = SETTINGS.model_copy(update={"save_every": 2})
    with pytest.raises(KeyboardInterrupt):
        _interrupt_after(5, base, tmp_path, settings)
    (restart,) = (tmp_path / "work").glob("restart-*")
    with (restart / "optimizer.safetensors").open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"\0" * 50)
    assert _finetune(base, tmp_path, settings).checkpoint.sha256 == undisturbed.checkpoint.sha256


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from tests.core.test_sft import EXAMPLES, SETTINGS, finetune

torch.set_num_threads(1)
base, directory, places = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
watched = ("adastar_core.models.checkpoints", "adastar_core.trainers.restart", "adastar_core.trainers.job")

def train(where, kill_at):
    calls = 0
    def count(frame, event, argument):
        nonlocal calls
        if event == "call" and frame.f_globals.get("__name__") in watched:
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    finetune(base, EXAMPLES, SETTINGS.model_copy(update={"save_every": 2}), planned_steps=5, seed=0, iteration=1,
             output=where / "checkpoint", work=where / "work")
    sys.setprofile(None)
    return calls

def in_a_child(where, kill_at):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(train(where, kill_at)).encode())
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.read(reader, 20) if os.WIFEXITED(status) else -os.WTERMSIG(status)

calls = int(in_a_child(directory / "whole", 0))
for place in range(places):
    died = in_a_child(directory / str(place), 1 + calls * place // places)
    assert died == -signal.SIGKILL, died
"""


@pytest.mark.slow
def test_kill_minus_nine_at_every_kind_of_write_changes_nothing(
    base: Path, tmp_path: Path, undisturbed: TrainingOutcome
) -> None:
    """The process dies inside publishing, keeping and finishing, at places spread over all calls of them."""
    places = 6
    command = [sys.executable, "-c", KILLED, str(base), str(tmp_path), str(places)]
    subprocess.run(command, check=True, timeout=300)
    for place in range(places):
        directory = tmp_path / str(place)
        resumed = _finetune(base, directory, SETTINGS.model_copy(update={"save_every": 2}))
        assert resumed.checkpoint.sha256 == undisturbed.checkpoint.sha256
        assert (resumed.loss, resumed.token_accuracy) == (undisturbed.loss, undisturbed.token_accuracy)
        assert not list(directory.glob(".*"))
