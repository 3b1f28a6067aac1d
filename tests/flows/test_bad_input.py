"""What bad input gets: one clear paragraph, exit status 2, nothing written."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from cyclopts import CycloptsError
from sqlalchemy import Engine

from adastar_core.config import files
from adastar_core.models.source import resolve_model
from flows.commandline import APP, errors_explained
from tests.flows.conftest import Command
from tests.support.families import write_family


@pytest.fixture
def database(untouched: Engine) -> Engine:
    """One database for all: none of these runs gets as far as to write."""
    return untouched


def change(configuration: Path, **values: object) -> None:
    """Change top-level keys of a configuration file."""
    configuration.write_text(yaml.safe_dump({**yaml.safe_load(configuration.read_text()), **values}))


def refused(adastar: Command, configuration: Path, *words: str, arguments: tuple[str, ...] = ()) -> None:
    """Assert that the run is refused in one paragraph with these words, and that nothing was written."""
    result = adastar("--config", str(configuration), *arguments)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    home = configuration.parent / "home"
    assert not home.exists() or not list(home.rglob("*"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("attempts=0", ["attempts", "1"]),
        ("schedule.growth=0.5", ["schedule.growth", "1"]),
        ("generatr.batch_size=3", ["generatr", "generator"]),
    ],
)
def test_configuration(adastar: Command, configuration: Path, override: str, words: list[str]) -> None:
    refused(adastar, configuration, *words, arguments=("--set", override))


def test_unknown_preset(adastar: Command) -> None:
    result = adastar("--preset", "quickstrat")
    assert result.returncode == 2
    assert "quickstart" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"question": "1+1", "answer": "2"}\n{"question": "1+2"\n', ["data.jsonl", "2"]),
        ('{"question": "1+1", "answer": "2"}\n\n{"question": "1+2", "answer": "3"}\n', ["data.jsonl", "2"]),
        (
            '{"id": "a", "question": "1+1", "answer": "2"}\n{"id": "a", "question": "1+2", "answer": "3"}\n',
            ["'a'"],
        ),
    ],
)
def test_data_files(
    adastar: Command, configuration: Path, tmp_path: Path, content: str, words: list[str]
) -> None:
    (tmp_path / "data.jsonl").write_text(content)
    change(
        configuration,
        problem={
            "type": "table",
            "path": str(tmp_path / "data.jsonl"),
            "id": "id" if "id" in content else None,
        },
    )
    refused(adastar, configuration, *words)


@pytest.mark.parametrize(
    ("missing", "word"), [("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")]
)
def test_models(adastar: Command, configuration: Path, tmp_path: Path, missing: str, word: str) -> None:
    shutil.copytree(resolve_model("tiny-adder"), tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    change(configuration, model=str(tmp_path / "model"))
    refused(adastar, configuration, word)


def test_unreachable_database(adastar: Command, configuration: Path) -> None:
    change(configuration, database_url="postgresql://me:hunter2@127.0.0.1:1/nowhere")
    result = adastar("--config", str(configuration))
    assert result.returncode == 2
    assert "127.0.0.1:1" in result.stderr
    assert "hunter2" not in result.stderr + result.stdout


def test_unusable_home(adastar: Command, configuration: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    change(configuration, home=str(tmp_path / "file" / "home"))
    result = adastar("--config", str(configuration))
    assert result.returncode == 2
    assert str(tmp_path / "file") in result.stderr


def test_dry_run_touches_nothing(adastar: Command, configuration: Path) -> None:
    result = adastar("--config", str(configuration), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "FLOPs; at most" in result.stdout
    assert "How long it takes is not known" in result.stdout
    assert "seed: 0" not in result.stdout
    assert not (configuration.parent / "home").exists()


def test_every_key_is_behind_an_option(adastar: Command, configuration: Path) -> None:
    result = adastar("--config", str(configuration), "--show-config", "--set", "seed=7")
    assert result.returncode == 0, result.stderr
    shown = yaml.safe_load(result.stdout[: result.stdout.index("\nRun ")])
    given = files.resolve(yaml.safe_load(configuration.read_text()), ["seed=7"]).model_dump(mode="json")
    assert shown == given
    assert not (configuration.parent / "home").exists()


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe"])
def test_a_mixture_of_experts_can_be_planned(
    adastar: Command, configuration: Path, tmp_path: Path, family: str
) -> None:
    change(configuration, model=str(write_family(family, tmp_path / "model")))
    result = adastar("--config", str(configuration), "--dry-run", "--set", "trainer.dtype=float32")
    assert result.returncode == 0, result.stderr
    assert "Training needs" in result.stdout


def test_a_dry_run_says_what_it_assumes_and_what_a_card_makes_of_it(
    adastar: Command, configuration: Path
) -> None:
    arguments = ("--accepted", "0.8", "--rationale-tokens", "30", "--card", "h100")
    result = adastar("--config", str(configuration), "--dry-run", *arguments)
    assert result.returncode == 0, result.stderr
    assert "if 0.8 of the visited observations" in result.stdout
    assert "have 30 tokens" in result.stdout
    assert "Training needs" in result.stdout
    assert "On h100" in result.stdout
    assert "At least" in result.stdout
    assert not (configuration.parent / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--presett", "quickstart"], "Did you mean --preset? See python flows/adastar.py --help."),
        (["--preset", "quickstart", "--config", "mine.yaml"], "--config, --preset"),
        (["--accepted", "1.5", "--dry-run"], "Must be <= 1."),
        (["--card", "h101", "--dry-run"], 'Did you mean "h100"?'),
        (["quickstart"], "--preset quickstart"),
        (["one.yaml", "two.yaml"], "two.yaml"),
        (["attempts=3"], "--set attempts=3"),
        (["--lr", "1e-4"], "--set trainer.learning_rate=VALUE"),
        (["--batch-size", "4"], "--set trainer.batch_size=VALUE"),
        (["--model", "/mine"], "--set model=VALUE"),
    ],
)
def test_misuse(adastar: Command, arguments: list[str], words: str) -> None:
    result = adastar(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("tokens", ["nan", "inf", "0", "-5"])
def test_tokens_of_a_forecast_are_a_number_above_0(tokens: str) -> None:
    with pytest.raises(CycloptsError, match="--rationale-tokens"):
        APP(["--dry-run", "--rationale-tokens", tokens])


def test_a_part_that_exits_does_not_look_like_a_finished_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, errors_explained("adastar", "run"):
        sys.exit(0)
    assert ended.value.code == 1
    assert "called exit(0)" in capsys.readouterr().err
