"""Where values come from: none that is tuned for the packaged model reaches another one unsaid."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from adastar_core.config import RunConfig, files, flatten
from adastar_core.config.base import Base, base_of
from adastar_core.errors import ConfigError

PACKAGED = [name for name in files.preset_names() if files.load_preset(name)["model"] == "tiny-adder"]


def base(overrides: Sequence[str], preset: str | None = None, default: str = "quickstart") -> Base:
    return base_of(preset, None, overrides, default)


@pytest.mark.parametrize("default", PACKAGED)
@pytest.mark.parametrize("model", [["model=/mine"], ["model=tiny-adder", "model=org/name"]])
def test_another_model_starts_from_the_defaults_by_every_route(default: str, model: list[str]) -> None:
    found = base(model, default=default)
    given = flatten(found.resolve(model).model_dump(mode="json"))
    assert given == flatten(RunConfig(model=model[-1].partition("=")[2]).model_dump(mode="json"))
    assert found.remaining(found.resolve(model), model) is None


def test_the_preset_is_kept_for_its_own_model() -> None:
    overrides = ["iterations=2", "problem.train=100"]
    found = base(overrides)
    config = found.resolve(overrides)
    assert (found.preset, config.trainer.learning_rate, config.generator.max_new_tokens) == (
        "quickstart",
        1e-3,
        80,
    )
    assert found.remaining(config, overrides) is None


@pytest.mark.parametrize("preset", files.preset_names())
def test_a_named_preset_says_which_of_its_values_another_model_keeps(preset: str) -> None:
    """Exactly those that are not the defaults and were not set."""
    overrides = ["model=/mine", "trainer.batch_size=16"]
    found = base(overrides, preset)
    config = found.resolve(overrides)
    warning = found.remaining(config, overrides)
    assert warning is not None
    listed = warning.partition("remain: ")[2].partition(". Set")[0]
    said = {text.partition("=")[0] for text in listed.split(", ") if "=" in text}
    defaults = flatten(RunConfig().model_dump(mode="json"))
    differ = {
        key
        for key, value in flatten(config.model_dump(mode="json")).items()
        if value != defaults.get(key, value)
    }
    assert said <= differ
    assert {key for key in differ if key.startswith(("trainer.", "generator."))} - {
        "trainer.batch_size"
    } <= said
    assert "trainer.batch_size" not in said
    assert "leave --preset out" in warning


def test_another_problem_for_the_packaged_model_is_said_too() -> None:
    overrides = ["problem=table", "problem.path=x.jsonl"]
    found = base(overrides)
    warning = found.remaining(found.resolve(overrides), overrides)
    assert warning is not None
    assert "tiny-adder on table" in warning
    assert "learning_rate=0.001" in warning
    assert "set model too" in warning


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("model: /mine\n")
    found = base_of(None, path, [], "quickstart")
    assert (found.source, found.preset, dict(found.values)) == ("mine", None, {"model": "/mine"})


def test_a_preset_where_a_file_is_expected_is_pointed_out() -> None:
    with pytest.raises(ConfigError, match="--preset quickstart"):
        base_of(None, Path("quickstart"), [], "quickstart")
