"""The presets of the benchmarks are what their script writes, resolve, and have Table 3's values; a laptop's two fit together."""

import runpy
from collections import Counter
from pathlib import Path

import pytest

from adastar_core.config import files
from adastar_core.names import NamedCheckpoint, checkpoint_named
from adastar_core.problems.arithmetic import parse_question
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Split

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "write_presets.py"))
PRESETS = SCRIPT["presets"]()
PAIRS = {
    "paper-arc_challenge-llama",
    "paper-commonsense_qa-llama",
    "paper-cladder-llama",
    "paper-anli_r1-llama",
    "paper-svamp-llama",
    "paper-gsm8k-qwen",
    "paper-arc_challenge-qwen",
    "paper-svamp-qwen",
    "paper-arc_challenge-gemma",
    "paper-anli_r1-gemma",
    "paper-svamp-gemma",
}


def test_the_committed_files_are_what_the_script_writes() -> None:
    folder = ROOT / "adastar_core" / "presets"
    committed = {
        path.stem: path.read_text("utf-8")
        for pattern in ("smoke-*", "paper-*")
        for path in folder.glob(pattern)
    }
    assert committed == PRESETS
    assert {path.name: path.read_text("utf-8") for path in (folder / "smoke").iterdir()} == SCRIPT[
        "smoke_files"
    ]()
    assert {name for name in committed if name.startswith("paper-")} == PAIRS


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_resolves_and_its_data_can_be_elsewhere(name: str, tmp_path: Path) -> None:
    config = files.resolve(files.load_preset(name), [f"problem.path={tmp_path}"])
    assert config.problem.path == str(tmp_path)  # type: ignore[union-attr]
    assert files.preset_summary(name).startswith(
        ("Smoke test of", "ARC", "Commonsense", "CLadder", "ANLI", "SVAMP", "GSM8K")
    )


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_paper_presets_have_the_values_of_table_3(name: str) -> None:
    config = files.resolve(files.load_preset(name))
    trainer = config.trainer
    assert (trainer.batch_size, trainer.learning_rate, trainer.weight_decay, trainer.warmup_steps) == (
        8,
        1e-5,
        0.01,
        100,
    )
    lora = (32, 64, 0.1, ("q_proj", "v_proj")) if name.endswith("-gemma") else (None, None, 0.0, "all-linear")
    assert tuple(trainer.lora.model_dump().values()) == lora
    assert (config.attempts, config.attempt_mode, config.generator.temperature) == (2, "until_correct", 1.0)
    assert config.rationalize == (config.problem.type not in ("gsm8k", "svamp"))
    assert [config.beta(t) for t in (1, 2)] == [320, 384]


def test_laptop_stories_starts_from_its_warm_start_on_stories_that_are_new() -> None:
    warm, then = (
        files.resolve(files.load_preset(name)) for name in ("laptop-stories-warm-start", "laptop-stories")
    )
    assert checkpoint_named(then.model) == NamedCheckpoint("laptop-stories-warm-start", None)
    shown, asked = open_problem(warm.problem), open_problem(then.problem)
    told = {item.question for item in shown.load(Split.TRAIN)}
    for split in Split:
        first = asked.load(split)
        repeated = sum(item.question in told for item in first)
        assert repeated <= (len(first) // 100 if split is Split.TRAIN else 0)
        assert shown.training_prompt(first[0]) == asked.training_prompt(first[0]) == asked.prompt(first[0])


def test_the_longest_scratchpad_of_the_ladder_fits_and_every_rung_is_measured_alike() -> None:
    config = files.resolve(files.load_preset("arithmetic-ladder"))
    problem = open_problem(config.problem)
    longest = max(len(parse_question(item.question).rationale) for item in problem.load(Split.TRAIN))
    assert longest < config.generator.max_new_tokens
    rungs = Counter(item.difficulty for item in problem.load(Split.TEST))
    assert set(rungs) == {str(digits) for digits in range(1, 13)}
    assert max(rungs.values()) - min(count for rung, count in rungs.items() if rung != "1") <= 1
