"""What the options of ``flows/compare.py`` become, and what they refuse."""

from pathlib import Path

import pytest
from cyclopts import CycloptsError

from adastar_core.comparison.table import Comparison
from adastar_core.config import RunConfig, files
from adastar_core.config.base import base_of
from adastar_core.config.methods import METHODS, OWN
from adastar_core.errors import ConfigError
from flows.commandline import APP as RUN
from flows.compare_commandline import APP, main, methods_of, seeds_of
from flows.members import ComparisonSettings, budget_settings


def settings_of(*arguments: str) -> ComparisonSettings:
    """Return what the command line asks for."""
    settings: ComparisonSettings = APP(arguments).settings()
    return settings


def test_the_defaults_are_the_comparison_of_the_readme() -> None:
    settings = settings_of()
    assert settings.methods == ("adastar", "random-lazy", "star-acc")
    assert settings.seeds == (0, 1, 2, 3, 4)
    assert settings.base == "arithmetic-hard"
    for method in settings.methods:
        config = settings.config(method, 4)
        assert (config.method_title(), config.seed, config.evaluation.test_every_iteration) == (
            method,
            4,
            True,
        )


def test_a_file_takes_the_place_of_the_preset() -> None:
    settings = settings_of("--config", "mine.yaml", "--set", "attempts=3", "--set", "alpha=first_try")
    assert (settings.source, settings.base) == ("config", "mine.yaml")
    assert settings.overrides == ("attempts=3", "alpha=first_try")


@pytest.mark.parametrize("words", [["--config", "mine.yaml"], ["mine.yaml"]])
def test_a_file_needs_no_option(words: list[str]) -> None:
    assert settings_of(*words).base == "mine.yaml"


def test_another_model_takes_the_defaults_in_the_comparison_and_in_each_of_its_runs() -> None:
    """Each run is started by a command of its own, which must come to the same values."""
    settings = settings_of("--set", "model=/mine")
    assert (settings.source, settings.base) == ("defaults", "arithmetic")
    config = settings.config("star", 1)
    assert (config.model, config.trainer.learning_rate) == ("/mine", RunConfig().trainer.learning_rate)
    options = RUN([*settings.command("star", 1)])
    base = base_of(options.preset, options.config, options.overrides, files.DEFAULT_PRESET)
    assert base.resolve(options.overrides) == config


def test_seeds_and_methods() -> None:
    assert seeds_of("0..4") == (0, 1, 2, 3, 4)
    assert seeds_of("3,0,3") == (3, 0)
    assert methods_of("all") == tuple(name for name in METHODS if name != OWN)
    assert methods_of("adad, star") == ("adad", "star")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "adastar,nosuch"], "no method nosuch"),
        (["--methods", ","], "no method is named"),
        (["--seeds", "4..0"], "neither a range"),
        (["--seeds", "a"], "neither a range"),
        (["--parallel", "0"], "Must be >= 1"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises((ConfigError, CycloptsError), match=words):
        settings_of(*arguments)


@pytest.mark.parametrize(
    ("budget", "settings"),
    [
        ("8", ["iterations=8", "budget_pflops=null"]),
        ("0.5 PFLOPs", ["iterations=200", "budget_pflops=0.5"]),
        ("2TFLOPs", ["iterations=200", "budget_pflops=0.002"]),
    ],
)
def test_a_budget_is_iterations_or_compute(budget: str, settings: list[str]) -> None:
    assert budget_settings(budget) == settings


@pytest.mark.parametrize("budget", ["", "0", "2.5", "3 apples", "-1TFLOPs"])
def test_other_budgets_are_refused(budget: str) -> None:
    with pytest.raises(ConfigError, match="neither a number of iterations"):
        budget_settings(budget)


def test_a_comparison_can_be_made_in_pieces_and_other_values_are_another_one() -> None:
    whole, piece = ComparisonSettings(), ComparisonSettings(methods=("star",), seeds=(7,))
    assert whole.name == piece.name
    assert whole.name != ComparisonSettings(budget="3").name
    assert whole.name != ComparisonSettings(overrides=("attempts=3",)).name
    assert whole.name == ComparisonSettings(overrides=("home=/elsewhere",)).name


def test_an_own_sampler_joins_a_comparison_whose_runs_it_leaves_as_they_are() -> None:
    path = "sampler.path=bench/oracle.py:Oracle"
    alone = ComparisonSettings(methods=("adastar",))
    both = ComparisonSettings(methods=("adastar", "custom"), overrides=(path, "attempts=3"))
    other = both.model_copy(update={"overrides": ("sampler.path=other.py:Other", "attempts=3")})
    assert both.settings_of("adastar", 0) == [*alone.settings_of("adastar", 0), "attempts=3"]
    assert both.config("custom", 0).method_title() == "custom"
    assert both.name == other.name == alone.model_copy(update={"overrides": ("attempts=3",)}).name
    assert both.run_name("adastar", 0) == other.run_name("adastar", 0)
    assert both.run_name("custom", 0) != other.run_name("custom", 0)
    assert f"--set {path}" in both.as_command()


def test_an_own_sampler_without_its_place_or_its_method_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.path is missing"):
        ComparisonSettings(methods=("custom",)).config("custom", 0)
    for place in (("sampler.path=mine.py:Mine",), ("sampler=custom", "sampler.path=mine.py:Mine")):
        without = ComparisonSettings(methods=("adastar",), overrides=place)
        with pytest.raises(ConfigError, match="for the method custom, which is not among the methods"):
            without.config("adastar", 0)


@pytest.mark.parametrize(
    "place",
    [("sampler={type: custom, path: mine.py:Mine}",), ("sampler=custom", "sampler.path=mine.py:Mine")],
)
def test_an_own_sampler_goes_to_its_method_alone_however_it_is_written(place: tuple[str, ...]) -> None:
    settings = ComparisonSettings(methods=("adastar", "custom"), overrides=place)
    assert settings.config("adastar", 0).sampler.type == "adastar"
    assert settings.config("custom", 0).sampler.type == "custom"


def test_no_method_gets_another_sampler_than_its_own() -> None:
    settings = ComparisonSettings(methods=("random-lazy",), overrides=("sampler=thompson",))
    with pytest.raises(ConfigError, match="give the method random-lazy the sampler thompson"):
        settings.config("random-lazy", 0)


def test_a_dry_run_says_what_every_method_costs_and_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = [
        "--set",
        "problem.train=200",
        "--set",
        "problem.validation=60",
        "--set",
        f"home={tmp_path / 'home'}",
    ]

    def compare(settings: ComparisonSettings) -> Comparison:
        raise AssertionError(f"{settings.name} was started")

    main(compare, ["--methods", "adastar,star", "--seeds", "0..2", *sizes, "--dry-run"])
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert [row[1] for row in rows if row and row[0] in ("adastar", "star")] == ["3", "3"]
    assert printed.count("WARNING: iteration 1 wants") == 1
    assert "as the model gets it" in printed
    assert not (tmp_path / "home").exists()


def test_dropping_runs_a_part_of_the_budget_first_and_is_the_same_comparison() -> None:
    whole, dropping = settings_of("--budget", "8"), settings_of("--budget", "8", "--drop")
    assert [rung.title for rung in whole.rungs] == ["8 iterations"]
    first, second, last = dropping.rungs
    assert (first.title, second.title) == ("2 iterations", "4 iterations")
    assert dropping.name == whole.name
    assert dropping.run_name("star", 0) == whole.run_name("star", 0)
    assert dropping.config("star", 0, first).iterations == 2
    assert dropping.command("star", 0, first)[-6:-4] == ["--set", "iterations=2"]
    assert dropping.summary_path("star", 0, first) != whole.summary_path("star", 0)
    assert dropping.summary_path("star", 0, last) == whole.summary_path(
        "star", 0
    )  # read back, whoever made it
    assert dropping.as_command() == f"{whole.as_command()} --drop"


def test_dropping_needs_two_seeds() -> None:
    with pytest.raises(ConfigError, match=r"one seed \(3\) does not show"):
        _ = settings_of("--drop", "--seeds", "3").rungs


def test_a_dry_run_says_what_dropping_may_save(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("problem.train=200", "problem.validation=60", f"home={tmp_path / 'home'}")
    sets = [part for one in sizes for part in ("--set", one)]

    def compare(settings: ComparisonSettings) -> Comparison:
        raise AssertionError("nothing is started")

    main(compare, ["--methods", "adastar,star", "--budget", "8", "--drop", "--dry-run", *sets])
    printed = " ".join(capsys.readouterr().out.split())
    assert "Rungs after 2 iterations, 4 iterations, 8 iterations." in printed
    assert "If the first drops all methods but one, about" in printed
